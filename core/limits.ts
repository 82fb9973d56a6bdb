/** Every number of the client side, each with its unit in the name and its reason beside it. The hub's are options. */
export const limits = {
  address: {
    /** Longer than any record may carry (4,096 bytes). */
    characters: 8192,
    alternatives: 32,
    sections: 8,
  },
  timer: {
    /** What is longer, setTimeout takes for 1 ms. */
    longestMs: 2 ** 31 - 1,
  },
  dial: {
    /** One deadline over everything, from looking at the address to the last transform. */
    timeoutMs: 30_000,
    /** RFC 8305, section 8: how long an equal alternative waits for the one before it. */
    attemptDelayMs: 250,
  },
  handshake: {
    /** The whole handshake of a transform: a byte now and then must not hold it open. */
    timeoutMs: 15_000,
    /** `auth` may ask a person's database, but not for ever. */
    authTimeoutMs: 15_000,
    /** Incoming handshakes under way per listening stack: each costs memory and public-key operations. */
    inFlight: 64,
    /** Of these, from one source address. */
    inFlightPerSource: 16,
  },
  connection: {
    /** How long close() waits for the peer's end. */
    lingerMs: 10_000,
    /** Written and not awaited: beyond it the connection is aborted rather than the memory filled. */
    unsentBytes: 16 * 1024 * 1024,
    /** What a waiting write costs of them beside its bytes. */
    writeCostBytes: 256,
    /** Small writes of one turn are joined up to this size: one frame of most layers below. */
    joinBytes: 64 * 1024,
    /** Up to this size a copy costs less than waiting. */
    smallBytes: 8 * 1024,
    /** Received and not yet read, where the transport can pause: two socket reads of Node. */
    receiveBytes: 128 * 1024,
    /** Received and not yet read, where it cannot (a browser's WebSocket): beyond it RECEIVE_OVERFLOW. */
    unpausableReceiveBytes: 16 * 1024 * 1024,
  },
  socket: {
    /** After this long without a byte TCP asks whether the peer is still there. */
    keepAliveMs: 60_000,
  },
  utp: {
    /** Unread bytes that are accepted: what libutp itself has under way at most. */
    windowBytes: 1024 * 1024,
    /** What may be sent before the far side has told its window; no window is smaller. */
    initialBytes: 64 * 1024,
    /** Of data in a frame: what is copied at once. */
    frameBytes: 64 * 1024,
    /** Frames wait for each other up to this, a good ten packets: libutp has trouble with small writes. */
    joinBytes: 16 * 1024,
    /** Of the system for what was not looked at yet: one window. */
    socketBytes: 1024 * 1024,
    /** Three tries of libutp (after 3 s and 6 s more); it would go on until 21 s. */
    connectTimeoutMs: 10_000,
    /** From the first packet to the first frame. A sender of packets from forged addresses never gets that far. */
    openTimeoutMs: 5_000,
    /** Of those under way at a time. */
    opening: 256,
    /** After a silence of this long, or up to twice, the far side is asked; half a minute later it is known to be gone. */
    askAfterMs: 60_000,
    /** A close is acknowledged within a round trip, or by nobody. */
    releaseMs: 2_000,
  },
  signal: {
    /** Of a description; the ones of data channels have about 500. */
    sdpCharacters: 8192,
    /** Of one ICE candidate; real ones have about 150. */
    candidateCharacters: 1024,
    /** Of the name that a description gives its media section; browsers count from 0. */
    midCharacters: 32,
    /** Of the name of one transform in an offer; their number is that of an address's sections. */
    transformCharacters: 64,
    /** ICE servers that a hub may name: each costs sockets and time. */
    iceServerUrls: 8,
    /** Candidates of a side; the 33rd is ignored. */
    candidates: 32,
  },
  session: {
    /** After opening: by then ICE has settled for a pair of candidates. */
    lookAtPairMs: [1_000, 5_000, 20_000],
    /** HELLO comes first on a path and at once, or the path is no path of ours. */
    helloTimeoutMs: 5_000,
    /** What may be sent before the peer has told its limit. */
    initialLimitBytes: 64 * 1024,
    /** Unread bytes that a session accepts at first, and at most once its reader has shown to be quick. */
    windowBytes: 128 * 1024,
    largestWindowBytes: 4 * 1024 * 1024,
    /** A reader who takes a whole window within this (or two round trips) gets a larger one. */
    quickReaderMs: 250,
    /** Kept to be sent again on another path: whatever the peer's limit, no more than this. */
    unacknowledgedBytes: 4 * 1024 * 1024,
    /** Larger messages are not safe between WebRTC implementations. */
    frameBytes: 64 * 1024,
    /** Handed to a path and not sent yet; wrtc loses messages silently when hundreds are queued. */
    queuedBytes: 256 * 1024,
    queuedFrames: 64,
    /**
     * Under way on a path at first, and at least, unless it is slow: twice what the UDP sockets of WebRTC hold at once. With that alone a third
     * of the time on loopback went by waiting for acknowledgements; with this transfers of 3 MiB stall no more often.
     */
    leastFlightBytes: 256 * 1024,
    /** Rounds that the rate of a path is taken from. */
    flightSamples: 10,
    /** After this long a path may have become longer: its shortest round trip is measured anew. */
    flightMemoryMs: 10_000,
    /** wrtc never says that its queue has drained: while it is full we look again this often. */
    lookAgainMs: 4,
    acknowledgeAfterMs: 50,
    /**
     * Two whole frames of DATA, however large the window: the sender goes by acknowledgements, and what they free in one go it
     * sends in one.
     */
    acknowledgeAfterBytes: 2 * (64 * 1024 - 7),
    /** A path that has been silent this long is asked, and dead when the answer is not there in time. */
    pingAfterMs: 5_000,
    pongTimeoutMs: 7_000,
    /**
     * What has left and is not acknowledged for this long, and for longer than is usual on the path, makes it be asked; SCTP repeats
     * itself within a second or so.
     */
    stalledAfterMs: 1_500,
    /** A path that is asked for a reason: without an answer by then another one is looked for beside it. */
    doubtAfterMs: 1_000,
    /** Twenty times what an acknowledgement takes at most: one that is later than the answers to two PINGs was lost. */
    answersApartMs: 1_000,
    /** PINGs that are answered at once in so much time; of any more the newest waits. One each 5 s is usual. */
    answers: 8,
    answersMs: 100,
    /** A timer that fires this much later than asked for: the process was held up, or the machine slept. */
    lateTimerMs: 1_000,
    /** The server leaves the closing to the client for this long, so that nothing in flight is dropped. */
    serverCloseMs: 2_000,
    /** After RESET: what is in flight, the RESET itself above all, still leaves. */
    resetCloseMs: 2_000,
    paths: 4,
    /** How long the client leaves a worse path beside a better one, so that what is under way there arrives. */
    worseCloseMs: 5_000,
    /**
     * For the far side's bye, or its word that it knows of the channel's end: a round trip each, or nobody is there. On a machine with
     * twenty processes at work a turn may take a second.
     */
    channelCloseMs: 2_000,
    /** Where no message has come or left for this long, none is on its way, and none is being answered. */
    quietMs: 50,
    /** Kept of a path that is open before the session has taken it: HELLO, and a little more. What is over shows as a gap. */
    earlyFrames: 8,
  },
  resume: {
    /** How long a connection outlives its last path. */
    resumeMs: 60_000,
    /** The server waits longer by this: the client's last try must find it. */
    serverGraceMs: 15_000,
    /** A client whose both directions are finished may not know whether the server knows; then it gives up asking. */
    lingerMs: 10_000,
    /** Dialing again: full jitter under a bound that doubles between these. */
    shortestBackoffMs: 500,
    longestBackoffMs: 2_000,
    /**
     * Such dials at a time. One that comes no further is given another beside it, after one of these for each that is under way, the
     * second once it is answered: TCP sends a lost SYN again after 1, 3 and 7 s, and who was answered before a network changed
     * waits for what can't come.
     */
    attempts: 3,
    companyMs: 2_000,
    companyPathMs: 3_000,
    /** Each stage of such a dial, and the last one (ICE and DTLS): then it is given up. */
    stageTimeoutMs: 8_000,
    pathTimeoutMs: 15_000,
    /** Once the time of the session is up: what was answered by then may still bring a path. Less than the server's grace. */
    lastTriesMs: 10_000,
    /** Waiting is counted in steps of this, one of which is lost at most when the machine sleeps. */
    tickMs: 5_000,
    /** Of the servers of this process, and what they may hold unacknowledged and unread; the longest suspended goes first. */
    suspended: 1_024,
    suspendedBytes: 64 * 1024 * 1024,
    /** The same of those that have not been suspended for long: a network that fails suspends every sender at once, 4 MiB each. */
    suspendedBytesAtOnce: 512 * 1024 * 1024,
    suspendedSafeMs: 20_000,
    /** Finished sessions that a client may still ask about; each costs some hundred bytes. */
    finished: 4_096,
  },
  names: {
    /** An answer that takes longer gives way to the last one for the same name, where there is one. */
    patienceMs: 1_000,
    /** Names whose last answer is kept. */
    remembered: 64,
  },
  machine: {
    /** How often Node's addresses are looked at: streams are to go on within 5 s of a change, and a look costs some 0.1 ms. */
    lookMs: 1_000,
    /** A look this late, with no work meanwhile: the machine slept, or the process was stopped. No connection dies of less. */
    sleptMs: 10_000,
  },
  hub: {
    /** Registering again: full jitter under as long as the hub has been away, or the first of these doubled with each loss; at most the second. */
    shortestBackoffMs: 500,
    longestBackoffMs: 60_000,
    /** A registration this old has shown that the hub is well, and a younger one so in part. */
    healthyAfterMs: 60_000,
    /** The bound while nothing of a try arrives anywhere: it costs the hub nothing, and the way may be back at any moment. */
    unreachedBackoffMs: 5_000,
    /** While a peer waits for its path: the bound, and how long the hub may take to show that it is still there. */
    urgentBackoffMs: 1_000,
    urgentProbeMs: 3_000,
    /** And how often it is asked then: a router that forgets the socket tells nobody, and what the hub passes on is lost. */
    urgentAskMs: 2_000,
    /** From the start of the WebSocket to `welcome`, and from `register` to `registered`. */
    answerTimeoutMs: 10_000,
    /** Of these while a peer waits: what hangs in a dead network is begun anew before TCP's third SYN after 7 s. */
    urgentAnswerTimeoutMs: 4_000,
    /** A registration whose hub has fallen silent stays so long beside the search for the next one. */
    formerMs: 10_000,
    /** TCP brings a registration that went unanswered late, and the hub obeys it while its challenge is good: 5 s, others more. */
    lateRegisterMs: 15_000,
    /** So often a hub pings, until it is seen to do so at other times. */
    pingEveryMs: 25_000,
    /** One that is overdue makes a peer ask, but no sooner than this; what then is the time to answer is `probeTimeoutMs`. */
    leastSilentMs: 15_000,
    /** After so long in any case: browsers don't see who pings. */
    silentAfterMs: 45_000,
    probeTimeoutMs: 10_000,
    /** From the goodbye to its answer; after that the socket is cut. */
    closeTimeoutMs: 2_000,
    /** Said and not taken by the hub: it bounds its own queue for me at 256 KiB. */
    unsentCharacters: 1024 * 1024,
    /** Signals of a side of an introduction that may wait to be opened; the hub passes on no more than that. */
    signals: 64,
  },
  relay: {
    /** A direct path that takes longer may not come: then the hub's relay is asked for, where it is only a fallback. */
    fallbackAfterMs: 5_000,
    /** From asking for a circuit to both ends there; the hub's tokens live as long. */
    openTimeoutMs: 10_000,
    /**
     * Of the first frames, which go as signals while a new session's circuit is being opened: enough for the handshakes above
     * and the first words. A signal holds one of this size, and the hub passes on 64 of a side, candidates among them.
     */
    earlyFrameBytes: 8 * 1024,
    earlyBytes: 32 * 1024,
    /** The last few are for what is not data: acknowledgements, END, RESET. */
    earlyDataFrames: 16,
    earlyFrames: 24,
    /**
     * What the first frames go ahead of the other paths by: sockets to the relay, ICE and DTLS take some 30 ms of a processor at
     * either end, for which the handshakes above would wait. A pause this long ends it, as any does where the way is long.
     */
    headStartMs: 60,
    headStartPauseMs: 15,
    /** With a circuit open, a direct path has this long to come: the introduction costs hub and peer something. */
    directTimeoutMs: 15_000,
    /** A session that has only its circuit looks for a direct path after these, the last again and again: each look costs both an introduction. */
    lookAgainMs: [1_500, 3_000, 10_000, 60_000, 300_000, 900_000],
    /** Of what the hub grants: from here on it is worth a warning. */
    warnShare: 0.8,
  },
  tunnel: {
    /** Of a bridge: those that are open and those that it dials, in all and for one client's key. */
    open: 256,
    openPerClient: 16,
    /** Of a bridge to the server; less than the client waits for its answer (`handshake.timeoutMs`). */
    dialTimeoutMs: 10_000,
    /** Without a byte either way. Peers of SSB ask each other every 5 minutes whether they are still there. */
    idleMs: 15 * 60_000,
    /** From a refusal to the client's end, so that the refusal arrives. */
    refusalLingerMs: 2_000,
  },
  record: {
    /** Of a whole record: two Ethernet packets or so, and room for a dozen addresses. */
    bytes: 4096,
    /** Each is one alternative of the address that a lookup gives. */
    addresses: 16,
    /** A record outlives its publisher by at most this; renewed at half of it. */
    lifeMs: 60 * 60_000,
    /** Renewed twice a second at most, whatever the application asks for. */
    shortestLifeMs: 1_000,
    /** How far ahead a record may expire, clocks that differ included (`skewMs`). */
    longestLifeMs: 24 * 60 * 60_000,
    /** A sequence begins as a time; further ahead it would lock its own key out for long. */
    sequenceAheadMs: 24 * 60 * 60_000,
    /** By how much the clocks of two machines may differ. */
    skewMs: 5 * 60_000,
    /** Keys whose highest sequence is remembered: as many as one hub has peers. */
    keys: 10_000,
    /** Of a listing. */
    perPage: 100,
    /** A lookup is one small answer. */
    lookupTimeoutMs: 10_000,
  },
  /** Of one dial, each with a socket, an introduction and a session of its own. */
  attempts: {
    attempts: 4,
    /**
     * An attempt that has come no further for this long is given company: TCP sends a lost SYN again only after 1 s and what is
     * lost twice later still, and a stage takes three round trips at most. It doubles with each. ICE and DTLS are quicker to
     * repeat themselves, and are given more.
     */
    stallMs: 1_000,
    stallPathMs: 4_000,
    /** Of one that looks for a direct path alone, from when it is known that no relay carries meanwhile. Most have found it by then. */
    unrelayedMs: 1_500,
    /** To a peer that was there a moment ago: whoever has lost its hub is back in a second or two. */
    returnMs: 1_000,
    /** What fails sooner was not lost on its way: a hub that is away says so. Less than `stallMs`, or company would be there already. */
    lostAfterMs: 900,
  },
  introduction: {
    /**
     * A server peer's own guard, for it trusts neither its hub nor whoever can make an offer: introductions without an
     * opened offer, and in all those whose path does not stand yet.
     */
    unopened: 64,
    underWay: 64,
    perSecond: 20,
    burst: 64,
    firstSignalTimeoutMs: 5_000,
    /** From the answer to an open path: the life of an introduction at the hub. */
    pathTimeoutMs: 60_000,
    /** From the end of the introduction at the hub, as far as the path does not stand by then. */
    lastTriesMs: 10_000,
    /** WebRTC connections of this process; each costs two threads, 16 descriptors and half a MiB on Node (bench/many.ts). */
    connections: 256,
  },
} as const
