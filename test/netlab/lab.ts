import { dirname } from 'node:path'
import type { IceServer } from '../../core/hub-protocol.ts'
import type { StartHubOptions } from '../../signal-server/start.ts'
import { startLabHub, type LabHub } from './hub.ts'
import { startInternet, type Counts, type Faults, type Host } from './internet.ts'
import { createNamespaces, labFile, type Namespaces } from './namespaces.ts'
import { natScript, type NatKind } from './nat.ts'
import { startLabPeer, type LabPeer, type LabPeerOptions } from './peer.ts'
import { startTurn, turnPort } from './turn.ts'

export interface LabOptions {
  /** One peer behind each. */
  readonly nats: readonly NatKind[]
  /** Of the faults. */
  readonly seed: number
}

/** The hosts of a laboratory by name: `hub`, `turn`, and `nat0`, `nat1`, … for its peers' links to the internet. */
export type HostName = 'hub' | 'turn' | `nat${number}`

export interface Lab {
  /** What its namespaces, and a folder for temporary files, are called by. */
  readonly prefix: string
  /** The one with TURN. */
  readonly hub: LabHub
  readonly turn: TurnFacts
  readonly places: readonly LabPlace[]
  /** Another hub beside the first; `options` as `startHub` takes them. */
  startHub(options: StartHubOptions): Promise<LabHub>
  /** A peer without a NAT, on a host of the internet. */
  startPeer(host: 'hub' | 'turn', options?: StartPeerOptions): LabPeer
  /** Runs another program of Node in a namespace: what to spawn, and with what. */
  command(host: HostName | `peer${number}`, file: string, ...args: readonly string[]): [string, string[]]
  /** What befalls every packet once, or on the link of one host, in place of what was set there before. */
  set(faults: Faults, host?: HostName): Promise<void>
  /** Cuts the link of a host; connections are not told. */
  down(host: HostName): Promise<void>
  up(host: HostName): Promise<void>
  /** Nothing goes between two hosts any more, whatever else they reach; connections are not told. */
  part(host: HostName, other: HostName): Promise<void>
  join(host: HostName, other: HostName): Promise<void>
  counts(): Promise<Counts>
  /** Ends whatever runs in it; resolves when nothing is left. */
  close(): Promise<void>
}

export interface TurnFacts {
  /** The STUN servers, on two addresses. */
  readonly stun: readonly IceServer[]
  /** The addresses that it relays from, and that it listens at beside. */
  readonly addresses: readonly [string, string]
}

export interface StartPeerOptions extends LabPeerOptions {
  /** @default the one with TURN */
  readonly hub?: LabHub
}

/** Where a peer can be: a namespace behind a NAT of its own. */
export interface LabPlace {
  readonly nat: NatKind
  /** Of its link: for {@link Lab.down} and {@link Lab.set}. */
  readonly link: HostName
  start(options?: StartPeerOptions): LabPeer
  /** As when a provider gives its customer another address. */
  changeAddress(): Promise<void>
  /** As when a laptop is carried to another desk: the peer itself has another address, behind the same NAT. */
  renumber(): Promise<void>
  /** As when a router restarts: it knows no flow any more. */
  flushConntrack(): Promise<void>
}

const hubAddress = '203.0.113.10'
const turnAddresses = ['203.0.113.20', '203.0.113.21'] as const
/** Each has two addresses of what hub and TURN server leave of their network. */
const mostPlaces = 75
const turnSecret = 'a secret for the laboratory'

/**
 * A hub, a STUN and TURN server, and peers behind NATs, each in a network namespace, with an internet between them
 * whose faults are chosen. Nothing of the system is touched, and nothing stays behind however the process ends.
 */
export async function createLab({ nats, seed }: LabOptions): Promise<Lab> {
  if (nats.length > mostPlaces) throw new RangeError(`a laboratory has ${mostPlaces} places at most`)
  const inner = nats.flatMap((_nat, index) => [`nat${index}`, `peer${index}`])
  const namespaces = await createNamespaces(['internet', 'hub', 'turn', ...inner])
  try {
    return await furnish(namespaces, nats, seed)
  } catch (error) {
    await namespaces.close()
    throw error
  }
}

async function furnish(namespaces: Namespaces, nats: readonly NatKind[], seed: number): Promise<Lab> {
  const host = (name: HostName, addresses: readonly string[]): Host => {
    return { name, namespace: namespaces.name(name), addresses }
  }
  const internet = await startInternet(namespaces.name('internet'), seed, [
    host('hub', [hubAddress]),
    host('turn', turnAddresses),
    ...nats.map((_nat, index) => host(`nat${index}`, [natAddress(index, 0)])),
  ])
  await Promise.all(nats.map((nat, index) => connectPeer(namespaces, nat, index)))
  await startTurn({
    namespace: namespaces.name('turn'),
    addresses: turnAddresses,
    secret: turnSecret,
    folder: namespaces.folder,
    root: dirname(dirname(dirname(labFile('lab.ts')))),
  })
  let hubs = 0
  const startHub = (options: StartHubOptions) =>
    startLabHub(namespaces.name('hub'), hubAddress, firstHubPort + hubs++, options)
  const stun = [{ urls: turnAddresses.map((address) => `stun:${address}:${turnPort}`) }]
  const turn = ['udp', 'tcp'].map(
    (transport) => `turn:${turnAddresses[0]}:${turnPort}?transport=${transport}`,
  )
  const hub = await startHub({ iceServers: stun, turn: { urls: turn, secret: turnSecret } })
  const startPeer = (name: string, { hub: at = hub, ...options }: StartPeerOptions = {}) =>
    startLabPeer(namespaces.name(name), at.url, options)
  const places = nats.map((nat, index): LabPlace => {
    let addressesHad = 0
    let numbersHad = 0
    return {
      nat,
      link: `nat${index}`,
      start: (options) => startPeer(`peer${index}`, options),
      async changeAddress() {
        const [from, to] = [natAddress(index, addressesHad % 2), natAddress(index, ++addressesHad % 2)]
        // The kernel forgets the flows of a masqueraded address with it, and a second address of a network with the first.
        await namespaces.run(`nat${index}`, `ip addr del ${from}/24 dev wan0\nip addr add ${to}/24 dev wan0`)
        await internet.tell(['move', `nat${index}`, from, to])
      },
      async renumber() {
        const [from, to] = [peerAddress(index, numbersHad % 2), peerAddress(index, ++numbersHad % 2)]
        // The route goes with the first address.
        await namespaces.run(
          `peer${index}`,
          `ip addr del ${from}/24 dev eth0\nip addr add ${to}/24 dev eth0\nip route add default via ${peerAddress(index, 'nat')}`,
        )
      },
      flushConntrack: () => namespaces.run(`nat${index}`, 'conntrack -F 2>/dev/null'),
    }
  })
  return {
    prefix: namespaces.prefix,
    hub,
    turn: { stun, addresses: turnAddresses },
    places,
    startHub,
    startPeer,
    command: (name, file, ...args) => [
      'ip',
      ['netns', 'exec', namespaces.name(name), process.execPath, labFile(file), ...args],
    ],
    set: async (faults, name) => void (await internet.tell(['set', name ?? '*', faults])),
    down: async (name) => void (await internet.tell(['down', name])),
    up: async (name) => void (await internet.tell(['up', name])),
    part: async (name, other) => void (await internet.tell(['part', name, other])),
    join: async (name, other) => void (await internet.tell(['join', name, other])),
    counts: async () => (await internet.tell(['count'])) as Counts,
    async close() {
      await internet.close()
      await namespaces.close()
    },
  }
}

const firstHubPort = 8989

/** The address of a NAT, which has two and uses one. */
function natAddress(index: number, which: number): string {
  return `203.0.113.${100 + which * mostPlaces + index}`
}

/** In the network behind a NAT, which a peer has two addresses of and uses one. */
function peerAddress(index: number, which: number | 'nat'): string {
  return `10.0.${index + 1}.${which === 'nat' ? 1 : 2 + which}`
}

async function connectPeer(namespaces: Namespaces, nat: NatKind, index: number): Promise<void> {
  const [gateway, own] = [peerAddress(index, 'nat'), peerAddress(index, 0)]
  const [natName, peerName] = [`nat${index}`, `peer${index}`]
  const peer = namespaces.name(peerName)
  await namespaces.run(
    natName,
    `ip link add lan0 type veth peer name eth0 netns ${peer}
ip addr add ${gateway}/24 dev lan0
ip link set lan0 up
${natScript(nat, own)}`,
  )
  await namespaces.run(
    peerName,
    `ip addr add ${own}/24 dev eth0
ip link set eth0 up
ip route add default via ${gateway}`,
  )
}
