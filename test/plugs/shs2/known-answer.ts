import { sha256 } from '@noble/hashes/sha2.js'
import { ByteReader } from '../../../core/byte-reader.ts'
import { copy, fromHex, fromText, toHex } from '../../../core/bytes.ts'
import { createIdentity } from '../../../core/ed25519.ts'
import { createPair } from '../../../core/pair.ts'
import { CipherState, type NoiseCrypto } from '../../../core/noise.ts'
import { keysFromSeed } from '../../../plugs/key-pair.ts'
import { Shs2Opener, Shs2Sealer } from '../../../plugs/shs2/frames.ts'
import { shakeAsClient, shakeAsServer } from '../../../plugs/shs2/handshake.ts'
import type { Bytes, ByteStream } from '../../../core/types.ts'
import type vectors from '../../vectors/shs2.json'

export type Shs2Vector = Omit<(typeof vectors.vectors)[number], 'name'>

/** What this implementation makes of the secrets of `vector`, with the names that it has there. */
export async function reproduce(vector: Shs2Vector, crypto: NoiseCrypto): Promise<Partial<Shs2Vector>> {
  const appKey = fromHex(vector.appKey)
  const client = await keysFromSeed(fromHex(vector.clientSeed))
  const server = await keysFromSeed(fromHex(vector.serverSeed))
  const [a, b] = createPair()
  const [clientWire, serverWire] = [record(a), record(b)]
  const [atClient, atServer] = await Promise.all([
    shakeAsClient(clientWire, server.publicKey, {
      crypto,
      appKey,
      identity: createIdentity(client),
      known: {
        ephemeralSecret: fromHex(vector.clientEphemeralSecret),
        kemSeed: fromHex(vector.mlkemKeypairSeed),
      },
    }),
    shakeAsServer(serverWire, {
      crypto,
      appKey,
      identity: createIdentity(server),
      authorize: () => Promise.resolve(true),
      known: {
        ephemeralSecret: fromHex(vector.serverEphemeralSecret),
        kemSeed: fromHex(vector.mlkemEncapsulationSeed),
      },
    }),
  ])
  const [message1, message3] = clientWire.written
  const [message2, accept] = serverWire.written
  const fromClient = direction(atClient.transport.send, atServer.transport.receive)
  const fromServer = direction(atServer.transport.send, atClient.transport.receive)
  const { bodyLabel = '' } = vector.clientFrames[1] ?? {}
  const big = chain(/"(.*)"/.exec(bodyLabel)?.[1] ?? bodyLabel, 65_519)
  return {
    clientPublicKey: toHex(atServer.remote),
    serverPublicKey: toHex(atClient.remote),
    message1: message1 ?? '',
    message2: message2 ?? '',
    message3: message3 ?? '',
    accept: accept ?? '',
    handshakeHash: toHex(atClient.transport.handshakeHash),
    clientFrames: [
      { body: toHex(fromText('hello')), wire: toHex(fromClient.carry(fromText('hello'))) },
      {
        bodySha256: toHex(sha256(big)),
        bodyLabel,
        wireSha256: toHex(sha256(fromClient.carry(big))),
      },
      { goodbye: true, wire: toHex(fromClient.carryGoodbye()) },
    ],
    serverFrames: [
      { body: toHex(fromText('world')), wire: toHex(fromServer.carry(fromText('world'))) },
      { goodbye: true, wire: toHex(fromServer.carryGoodbye()) },
    ],
  }
}

/** The frames of `vector` that cross the change of the key. */
export function reproduceRekey(vector: Shs2Vector, crypto: NoiseCrypto): Partial<Shs2Vector['rekey']> {
  const { body, bodyBefore, clientFramesBefore, serverFramesBefore } = vector.rekey
  const fromClient = keyed(vector.clientToServerKey, 0, crypto)
  for (let count = 0; count < clientFramesBefore; count++) fromClient.carry(fromText(bodyBefore))
  // The accept was its first operation.
  const fromServer = keyed(vector.serverToClientKey, 1, crypto)
  for (let count = 0; count < serverFramesBefore; count++) fromServer.carry(fromText(bodyBefore))
  return {
    clientFrame: toHex(fromClient.carry(fromText(body))),
    serverFrame: toHex(fromServer.carry(fromText(body))),
  }
}

function keyed(key: string, nonce: number, crypto: NoiseCrypto): Direction {
  const [sending, receiving] = [new CipherState(crypto), new CipherState(crypto)]
  for (const cipher of [sending, receiving]) {
    cipher.initializeKey(fromHex(key))
    cipher.setNonce(nonce)
  }
  return direction(sending, receiving)
}

interface Direction {
  /** The frame of `body`, which the other end has opened. */
  carry(body: Uint8Array): Bytes
  carryGoodbye(): Bytes
}

function direction(sending: CipherState, receiving: CipherState): Direction {
  const sealer = new Shs2Sealer(sending, 65_519)
  const opener = new Shs2Opener(receiving)
  return {
    carry(body) {
      const { frames } = sealer.seal(body, 0)
      // What is opened is opened where it lies.
      opener.push(copy(frames))
      const opened = opener.open()
      if (opened === null || toHex(opened) !== toHex(body)) throw new Error('the frame opened as another')
      return frames
    },
    carryGoodbye() {
      const frame = sealer.sealGoodbye()
      opener.push(frame)
      if (opener.open() !== null || opener.ending !== 'goodbye') throw new Error('goodbye was not understood')
      return frame
    },
  }
}

/** As the vectors make large bodies: sha256 of the label, then always sha256 of all before. */
function chain(label: string, length: number): Bytes {
  const bytes = new Uint8Array(length + 32)
  bytes.set(sha256(fromText(label)))
  for (let at = 32; at < length; at += 32) bytes.set(sha256(bytes.subarray(0, at)), at)
  return bytes.slice(0, length)
}

function record(stream: ByteStream) {
  const written: string[] = []
  return {
    written,
    reader: new ByteReader(stream),
    write(chunk: Uint8Array) {
      written.push(toHex(chunk))
      return stream.write(chunk)
    },
  }
}
