import { sha256 } from '@noble/hashes/sha2.js'
import sodium from 'libsodium-wrappers'
import { beforeAll, describe, expect, it } from 'vitest'
import { ByteReader } from '../../core/byte-reader.ts'
import { concat, fromHex, fromText, toHex } from '../../core/bytes.ts'
import { createIdentity } from '../../core/ed25519.ts'
import { loadNoiseCrypto } from '#noise-crypto'
import {
  Handshake,
  noisePatterns,
  wasmNoiseCrypto,
  withPsk,
  type NoiseKey,
  type NoiseRole,
} from '../../core/noise.ts'
import { createPair } from '../../core/pair.ts'
import { keysFromSeed } from '../../plugs/keys.browser.ts'
import { decodeFrame, encodeFrame, type Frame } from '../../plugs/rtc/frames.ts'
import { decodeSignal } from '../../plugs/rtc/signal-payload.ts'
import {
  createClientSignals,
  createServerSignals,
  type ClientSignal,
  type ServerSignal,
} from '../../plugs/rtc/signals.ts'
import { loadCrypto } from '../../plugs/shs/crypto.ts'
import { FrameOpener, FrameSealer } from '../../plugs/shs/frames.ts'
import { shakeAsClient, shakeAsServer } from '../../plugs/shs/handshake.ts'
import type { ByteStream } from '../../core/types.ts'
import noise from '../vectors/noise.json' with { type: 'json' }
import session from '../vectors/session.json' with { type: 'json' }
import shs from '../vectors/shs.json' with { type: 'json' }
import shs2 from '../vectors/shs2.json' with { type: 'json' }
import signals from '../vectors/signals.json' with { type: 'json' }
import { reproduce, reproduceRekey } from '../plugs/shs2/known-answer.ts'

// The same answers as on Node, by what a browser has: libsodium as WebAssembly.

beforeAll(() => sodium.ready)

describe('shs in a browser', () => {
  it('takes libsodium as WebAssembly', async () => {
    expect((await loadCrypto()).backend).toBe('libsodium-wrappers')
  })

  it.each(shs.handshakes)('gives the known bytes of the handshake "$name"', async (vector) => {
    const crypto = await loadCrypto()
    const appKey = fromHex(vector.appKey)
    const client = await keysFromSeed(fromHex(vector.clientSeed))
    const server = await keysFromSeed(fromHex(vector.serverSeed))
    const [clientWire, serverWire] = createPair().map(record)
    if (clientWire === undefined || serverWire === undefined) throw new Error('a pair has two ends')
    const [fromClient, fromServer] = await Promise.all([
      shakeAsClient(clientWire, server.publicKey, {
        crypto,
        appKey,
        identity: createIdentity(client),
        ephemeral: fromHex(vector.clientEphemeral),
      }),
      shakeAsServer(serverWire, {
        crypto,
        appKey,
        identity: createIdentity(server),
        ephemeral: fromHex(vector.serverEphemeral),
        authorize: () => Promise.resolve(true),
      }),
    ])
    expect(clientWire.written).toEqual([vector.clientChallenge, vector.clientHello])
    expect(serverWire.written).toEqual([vector.serverChallenge, vector.serverAccept])
    for (const key of [fromClient.send, fromServer.receive]) expect(hexed(key)).toEqual(vector.clientToServer)
    for (const key of [fromServer.send, fromClient.receive]) expect(hexed(key)).toEqual(vector.serverToClient)
  })

  it.each(shs.streams)('gives the known frames of "$name", and opens them', async (vector) => {
    const crypto = await loadCrypto()
    const key = () => ({
      key: Uint8Array.from(fromHex(vector.key)),
      nonce: Uint8Array.from(fromHex(vector.nonce)),
    })
    const chunks = vector.lengths.map((length) =>
      Uint8Array.from({ length }, (_, index) => (index * 7 + 1) & 0xff),
    )
    const sealer = new FrameSealer(crypto, key())
    const frames: Uint8Array[] = []
    for (const chunk of chunks) {
      for (let at = 0; at < chunk.length;) {
        const batch = sealer.seal(chunk, at)
        frames.push(batch.frames)
        at = batch.next
      }
    }
    const stream = concat(...frames, sealer.sealGoodbye())
    expect(toHex(sha256(stream))).toBe(vector.framesSha256)

    const opener = new FrameOpener(crypto, key())
    opener.push(stream)
    const opened: Uint8Array[] = []
    for (let chunk = opener.open(); chunk !== null; chunk = opener.open()) opened.push(chunk)
    expect(toHex(concat(...opened))).toBe(toHex(concat(...chunks)))
    expect(opener.ending).toBe('goodbye')
  })
})

describe('shs2 in a browser', () => {
  it('takes libsodium as WebAssembly', () => {
    expect(loadNoiseCrypto()).toBe(wasmNoiseCrypto)
  })

  it.each(shs2.vectors)('gives the known bytes of "$name"', async (vector) => {
    expect(vector).toMatchObject(await reproduce(vector, wasmNoiseCrypto))
  })

  it('gives the known frames around the change of the key', () => {
    const [vector] = shs2.vectors
    expect(vector?.rekey).toMatchObject(vector ? reproduceRekey(vector, wasmNoiseCrypto) : {})
  })
})

describe('Noise in a browser', () => {
  it.each(noise.vectors as readonly NoiseVector[])(
    'gives the published bytes of $protocol_name',
    async (vector) => {
      const [initiator, responder] = [createSide(vector, 'initiator'), createSide(vector, 'responder')]
      for (const [index, { payload, ciphertext }] of vector.messages.entries()) {
        const [writer, reader] = index % 2 === 0 ? [initiator, responder] : [responder, initiator]
        const message =
          writer.transport?.send.encrypt(fromHex(payload)) ?? (await writer.writeMessage(fromHex(payload)))
        expect(toHex(message)).toBe(ciphertext)
        const opened = reader.transport?.receive.decrypt(message) ?? (await reader.readMessage(message))
        expect(toHex(opened)).toBe(payload)
      }
      expect(initiator.transport && toHex(initiator.transport.handshakeHash)).toBe(vector.handshake_hash)
    },
  )
})

describe('signals in a browser', () => {
  it.each(signals.cases as readonly SignalCase[])('are sealed and opened as known: $name', async (known) => {
    const id = fromHex(known.id)
    const keys = await keysFromSeed(fromHex(known.serverSeed))
    const client = createClientSignals({
      id,
      serverKey: keys.publicKey,
      ephemeralSecret: fromHex(known.clientEphemeralSecret),
    })
    const server = createServerSignals({
      id,
      identity: createIdentity(keys),
      ephemeralSecret: fromHex(known.serverEphemeralSecret),
    })
    for (const { from, signal, data } of known.messages) {
      const decoded = decodeSignal(fromText(signal))
      const sealed =
        from === 'client'
          ? await client.seal(decoded as ClientSignal)
          : await server.seal(decoded as ServerSignal)
      expect(sealed).toBe(data)
      expect(await (from === 'client' ? server : client).open(data)).toEqual(decoded)
    }
  })
})

describe('the frames of a session in a browser', () => {
  it.each(session.frames as readonly FrameVector[])('are the known bytes: $name', ({ frame, message }) => {
    const { session: id, bytes, ...rest } = frame
    const expected = {
      ...rest,
      ...(id === undefined ? {} : { session: Uint8Array.from(fromHex(id)) }),
      ...(bytes === undefined ? {} : { bytes: Uint8Array.from(fromHex(bytes)) }),
    } as Frame
    expect(toHex(encodeFrame(expected))).toBe(message)
    expect(decodeFrame(Uint8Array.from(fromHex(message)))).toEqual(expected)
  })

  it.each(session.none)('are none: $name', ({ message }) => {
    expect(decodeFrame(Uint8Array.from(fromHex(message)))).toBeNull()
  })
})

interface NoiseVector {
  protocol_name: string
  init_prologue: string
  init_psks?: string[]
  init_static?: string
  init_ephemeral: string
  init_remote_static?: string
  resp_prologue: string
  resp_psks?: string[]
  resp_static?: string
  resp_ephemeral: string
  resp_remote_static?: string
  handshake_hash: string
  messages: { payload: string; ciphertext: string }[]
}

interface SignalCase {
  name: string
  serverSeed: string
  id: string
  clientEphemeralSecret: string
  serverEphemeralSecret: string
  messages: { from: 'client' | 'server'; signal: string; data: string }[]
}

interface FrameVector {
  name: string
  frame: { type: string; session?: string; bytes?: string }
  message: string
}

function record(stream: ByteStream) {
  const written: string[] = []
  const write = (chunk: Uint8Array) => {
    written.push(toHex(chunk))
    return stream.write(chunk)
  }
  return { reader: new ByteReader(stream), write, written }
}

function hexed({ key, nonce }: { key: Uint8Array; nonce: Uint8Array }) {
  return { key: toHex(key), nonce: toHex(nonce) }
}

function createSide(vector: NoiseVector, role: NoiseRole): Handshake {
  const isInitiator = role === 'initiator'
  const ownStatic = isInitiator ? vector.init_static : vector.resp_static
  const remoteStatic = isInitiator ? vector.init_remote_static : vector.resp_remote_static
  const [, name, psk] = /^Noise_([A-Z]{2})(?:psk(\d))?_/.exec(vector.protocol_name) ?? []
  const pattern = Object.values(noisePatterns).find((each) => each.name === name)
  if (pattern === undefined) throw new Error(`no pattern for ${vector.protocol_name}`)
  return new Handshake({
    pattern: psk === undefined ? pattern : withPsk(pattern, Number(psk)),
    role,
    prologue: fromHex(isInitiator ? vector.init_prologue : vector.resp_prologue),
    static: ownStatic === undefined ? undefined : createKey(fromHex(ownStatic)),
    remoteStatic: remoteStatic === undefined ? undefined : fromHex(remoteStatic),
    psks: (isInitiator ? vector.init_psks : vector.resp_psks)?.map(fromHex),
    ephemeralSecret: fromHex(isInitiator ? vector.init_ephemeral : vector.resp_ephemeral),
  })
}

function createKey(secret: Uint8Array): NoiseKey {
  return {
    publicKey: sodium.crypto_scalarmult_base(secret),
    dh: (publicKey) => sodium.crypto_scalarmult(secret, publicKey),
  }
}
