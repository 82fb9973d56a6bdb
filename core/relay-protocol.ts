/**
 * A circuit of a hub's relay: two WebSockets that pass each other's messages on as they are.
 *
 *   an end                              relay                          the other end
 *   (subprotocol relaySubprotocol)        |
 *   text: its token ->                    |                            <- text: its token
 *        <- text: open                    |                    text: open ->
 *   binary, both ways, in order; who sends more than the far side reads is not read
 *
 * What the messages are, only the ends know: each is one frame of a session, sealed.
 */

/** The WebSocket subprotocol: another version of the protocol is another name. */
export const relaySubprotocol = 'multiserver-relay.1'

/** Behind the name of a hub: where its relay is. */
export const relayPath = '/relay'

/** What the relay says, once, when both ends are there. */
export const relayOpenText = 'open'

/** The longest binary message: a frame of a session and its tag. */
export const relayFrameBytes = 64 * 1024 + 16

/** What the relay closes a socket with. */
export const relayCloseCodes = {
  /** The other end went away, or did not come. */
  gone: 4000,
  /** No token, or none that is good for a circuit now. */
  token: 4001,
  /** The circuit, or one of its peers, has had all it may have. */
  quota: 4002,
  /** Nothing passed for a long time. */
  idle: 4003,
  /** The hub shuts down. */
  draining: 4004,
  /** RFC 6455, section 7.4.1: text in a circuit, or bytes before it is open. */
  violation: 1008,
} as const
