import { hubDataCharacters, hubMessageBytes } from '../core/hub-protocol.ts'

/**
 * Every number of the hub, its unit in the name and its reason beside it. All are options, all are told to
 * peers in `welcome.limits` and at `GET /limits`. "Per address" is per IPv4 address or IPv6 /56; a site is an IPv6 /48.
 */
export const defaultLimits = {
  // Deadlines. Whoever connects and does nothing must not hold a socket.
  /** From TCP accept to registered or introduced, whatever the stages between. */
  registerMs: 5_000,
  /** A challenge is good for one registration within this time. */
  challengeMs: 5_000,
  /** A socket without an identity may stay this long without an introduction: a client has nothing to wait for. */
  idleAnonymousMs: 30_000,
  /** Below the idle timeouts that proxies and NATs are known to have (30 s and more). */
  pingMs: 25_000,
  pongMs: 10_000,

  // How many. Sockets that have proved and asked nothing yet are the cheapest to make, so they get the least.
  unregisteredSockets: 1_024,
  unregisteredSocketsPerAddress: 16,
  /** What one process looks after without a large heap; who has more peers runs more hubs. */
  registeredPeers: 10_000,
  anonymousPeers: 10_000,
  /** Of all addresses, as many as leave half a core to the peers that are there. Who comes too many is told when. */
  registrationsPerSecond: 500,
  registrationsBurst: 250,
  /** A household or an office behind one address. */
  socketsPerAddress: 64,
  newSocketsPerSecondPerAddress: 5,
  newSocketsBurstPerAddress: 20,
  /** A free tunnel has 256 addresses; of sockets, those unregistered, and new ones, a site may have as much as so many. */
  addressesWorthPerSite: 8,

  // Requests that ask for no upgrade. A flood of them would take the processor that signaling needs.
  /** More than the monitors and the pages of an office want in the long run, and a hundredth of a processor. */
  requestsPerSecondPerAddress: 20,
  /** Several loads of a page with its files. A file that is asked for is open until it was read. */
  requestsBurstPerAddress: 200,

  // How much. An introduction takes a dozen messages of a few kilobytes.
  messageBytes: 64 * 1024,
  dataCharacters: 16_384,
  /** A message comes in few fragments, or somebody wants to make the hub work. */
  messageFragments: 16,
  messagesPerSecond: 50,
  messagesBurst: 200,
  bytesPerSecond: 128 * 1024,
  /** Four of the largest messages at once. */
  bytesBurst: 256 * 1024,
  /** An address may send as much as so many peers. */
  peersWorthPerAddress: 4,
  /** Over its rate a socket is not read; when it does not calm down for this long it is closed. */
  floodMs: 10_000,
  /** What was received before reading stopped and waits for its turn: more is a flood at once. */
  waitingBytes: 256 * 1024,

  // Introductions. Each makes the target work, and takes a WebRTC stack there if it is well-formed.
  introductionsPerSecondPerAddress: 10,
  introductionsBurstPerAddress: 20,
  introductionsPerAddress: 16,
  introductionsPerTarget: 64,
  /** One address alone, or one site, must not make a target unreachable for all others. */
  introductionsPerTargetAndAddress: 16,
  introductionsPerTargetAndSite: 32,
  introductionMs: 60_000,
  /** An offer or answer and 33 candidates, with room for later signals. */
  signalsPerSide: 64,

  // Records. Whoever is registered may keep one.
  /** As many as peers. The one that was published longest ago by a peer that is not here any more makes room. */
  recordKeys: 10_000,
  /** Of each peer: a record is good for an hour, and each costs a signature check. */
  recordsPerSecond: 1,
  recordsBurst: 10,
  lookupsPerSecondPerAddress: 10,
  lookupsBurstPerAddress: 50,
  /** Addresses whose rates of lookups and of requests are remembered. */
  lookupAddresses: 10_000,

  // The relay, for peers that have no better way yet. It costs the operator every byte twice.
  /** A gigabit per second if all of them are busy, and 400 MiB of memory if no far side reads. */
  relayCircuits: 500,
  /** Counted for both peers of a circuit: by key, or by address for one without. */
  relayCircuitsPerPeer: 8,
  /** Of one client, by its address, with one server: all attempts of a dial, and not all that the server may have. */
  relayCircuitsPerPair: 4,
  /** Keys cost nothing. Half its sockets: more than a household needs, and a fifteenth of all circuits. */
  relayCircuitsPerAddress: 32,
  /** Of a circuit, both directions together: enough for a conversation, and for a picture now and then. */
  relayBytesPerSecond: 256 * 1024,
  relayBytesPerSecondPerPeer: 1024 * 1024,
  /**
   * What a frame costs of these rates beside its bytes: many small ones are work too. 680 of the smallest a second; 450 bytes
   * would be the most that lets through 200 calls a second each way with 100 bytes in each, and what acknowledges them.
   */
  relayFrameCostBytes: 384,
  relayBytes: 1024 ** 3,
  relayBytesPerDayPerPeer: 10 * 1024 ** 3,
  relayMs: 12 * 60 * 60_000,
  /** Sessions say something every few seconds: what is silent for this long has been forgotten. */
  relayIdleMs: 5 * 60_000,
  /** An end that takes nothing of `relayQueueBytes` for so long is gone. It may take all at once: 35 kbit/s do. */
  relayStuckMs: 60_000,
  /** From the tokens to both sockets there. */
  relayTokenMs: 10_000,
  /** What waits for one end before the other is not read any more. */
  relayQueueBytes: 256 * 1024,
  /** Peers whose bytes of the last day are remembered; the one that has been gone the longest makes room. */
  relayPeers: 50_000,

  // Sending. A peer that does not read must not fill the memory of the hub.
  /** Others can fill half of it for a peer: then introductions and signals for it end with `lost`, and it stays. */
  queueBytes: 256 * 1024,
  /** All peers together; beyond it the one with the longest queue goes. */
  queueBytesInAll: 256 * 1024 * 1024,
  /** How long a closed socket may take for the closing handshake. */
  closeMs: 1_000,

  // Going down for a restart: peers come back one after another, not all in one second.
  /** At least; more peers than a hub admits in this time are spread over more of it. */
  reconnectSpreadMs: 5_000,
  reconnectTryMs: 60_000,
} as const satisfies Record<string, number>

/** Peers refuse what is longer, whatever a hub would take. */
const protocolLimits = new Map<string, number>([
  ['messageBytes', hubMessageBytes],
  ['dataCharacters', hubDataCharacters],
])

export type HubLimits = { readonly [Name in keyof typeof defaultLimits]: number }

/** The defaults with `changes` in place of some; refuses names and values that it cannot mean. */
export function limitsWith(changes: Partial<Record<keyof HubLimits, number | undefined>> = {}): HubLimits {
  const limits: Record<string, number> = { ...defaultLimits }
  for (const [name, value] of Object.entries(changes)) {
    if (!Object.hasOwn(defaultLimits, name)) throw new TypeError(`the hub has no limit named ${name}`)
    if (value === undefined) continue
    if (!(value > 0) || value === Infinity)
      throw new TypeError(`the hub's limit ${name} must be a number above 0`)
    const most = protocolLimits.get(name)
    if (most !== undefined && value > most)
      throw new TypeError(`the protocol holds ${name} to at most ${most}`)
    limits[name] = value
  }
  return limits as HubLimits
}
