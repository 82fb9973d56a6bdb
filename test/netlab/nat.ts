/** The words of RFC 4787 for each are in {@link behaviours}. */
export const natKinds = ['fullcone', 'addrres', 'portres', 'sym', 'udpblock'] as const
export type NatKind = (typeof natKinds)[number]

export type Behaviour =
  | 'endpoint-independent'
  | 'address-dependent'
  | 'address-and-port-dependent'
  | 'blocked'

/** What each kind promises (RFC 4787, sections 4.1 and 5). */
export const behaviours: Readonly<Record<NatKind, { mapping: Behaviour; filtering: Behaviour }>> = {
  fullcone: { mapping: 'endpoint-independent', filtering: 'endpoint-independent' },
  addrres: { mapping: 'endpoint-independent', filtering: 'address-dependent' },
  portres: { mapping: 'endpoint-independent', filtering: 'address-and-port-dependent' },
  sym: { mapping: 'address-and-port-dependent', filtering: 'address-and-port-dependent' },
  udpblock: { mapping: 'blocked', filtering: 'blocked' },
}

/** By theory: what opens between two of them without a TURN server. */
export function canBeDirect(a: NatKind, b: NatKind): boolean {
  if (a === 'udpblock' || b === 'udpblock') return false
  if (a !== 'sym' && b !== 'sym') return true
  // A symmetric one's port is not known before it sends: the other must take it from any port of that address.
  const other = a === 'sym' ? b : a
  return other === 'fullcone' || other === 'addrres'
}

/** How long an unused UDP mapping lives: shorter than most routers, so that forgetting happens in a test. */
const mappingSeconds = 30

/** A shell script that makes a NAT of this kind between `wan0` and `lan0`, for the one host at `inside`. */
export function natScript(kind: NatKind, inside: string): string {
  const seen = seenBy(kind)
  return `
sysctl -qw net.ipv4.ip_forward=1
sysctl -qw net.netfilter.nf_conntrack_udp_timeout=${mappingSeconds}
sysctl -qw net.netfilter.nf_conntrack_udp_timeout_stream=${mappingSeconds}
nft -f - <<'RULES'
table ip lab {
  ${seen === null ? '' : `set seen { type ${seen.type}; flags dynamic,timeout; timeout ${mappingSeconds}s; }`}
  chain input {
    type filter hook input priority filter; policy accept;
    # Unsolicited packets must die before they are confirmed as a flow to this host. Otherwise a peer's early packet
    # occupies the tuple, the port of the flow behind is changed, and a cone turns symmetric without a word.
    iifname wan0 ct state != { established, related } drop
  }
  chain forward {
    type filter hook forward priority filter; policy drop;
    ${kind === 'udpblock' ? 'ip protocol udp drop' : ''}
    ${seen === null ? '' : `oifname wan0 update @seen { ${seen.sent} }`}
    iifname lan0 oifname wan0 accept
    iifname wan0 ct state { established, related } accept
    iifname wan0 ct status dnat accept
  }
  chain prerouting {
    type nat hook prerouting priority dstnat; policy accept;
    ${seen === null ? '' : `iifname wan0 ${seen.came} @seen dnat to ${inside}`}
  }
  chain postrouting {
    type nat hook postrouting priority srcnat; policy accept;
    # Linux keeps the port where it can, which is one mapping for all destinations.
    oifname wan0 masquerade ${kind === 'sym' ? 'fully-random' : ''}
  }
}
RULES
`
}

/**
 * What is remembered of sent packets, and let in for it. By the inner port, not by the host: filtering belongs to an
 * endpoint. The kinds without an entry have what Linux does by itself, which is both address and port.
 */
function seenBy(kind: NatKind): { type: string; sent: string; came: string } | null {
  switch (kind) {
    case 'fullcone':
      return { type: 'inet_service', sent: 'udp sport', came: 'udp dport' }
    case 'addrres':
      return {
        type: 'ipv4_addr . inet_service',
        sent: 'ip daddr . udp sport',
        came: 'ip saddr . udp dport',
      }
    default:
      return null
  }
}
