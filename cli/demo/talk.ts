import { ByteReader } from '../../core/byte-reader.ts'
import { equalBytes } from '../../core/bytes.ts'
import { MultiserverError, toError } from '../../core/errors.ts'
import type { Connection } from '../../core/connection.ts'
import { messageFrame, readFrame, type DemoFrame } from './frames.ts'
import { IncomingFile } from './incoming-file.ts'
import { OutgoingFile, type FileSource } from './outgoing-file.ts'
import {
  announcedKey,
  demoLimits,
  type Hello,
  type LobbyEntry,
  type Message,
  type Offer,
} from './protocol.ts'
import { isOver } from './transfer.ts'
import type { Bytes } from '../../core/types.ts'
import { mostLinks, type Link } from './links.ts'

export interface TalkEvents {
  /** First, and once: the peer has said who it is, and the key in its address is the one it proved. */
  onHello(hello: Hello): void
  /** @param inRoom whether everyone else was told the same */
  onChat(text: string, inRoom: boolean): void
  onRoster?(peers: readonly LobbyEntry[]): void
  /** How the peer is linked, and where it can be dialed from now on. */
  onState?(address: string, links: readonly Link[]): void
  onUpgrade?(): void
  /** A file is offered; nothing of it comes before `accept`. */
  onOffer(file: IncomingFile): void
  /** Last, and once. `error` when it did not end in peace. */
  onEnd(error: MultiserverError | undefined): void
}

/** What two peers of the demo say to each other over one connection, whichever transport that is. */
export class Talk {
  readonly connection: Connection
  /** Who the peer says it is; undefined until its hello. */
  hello: Hello | undefined
  /** Both directions together. */
  movedBytes = 0
  /** How long the last message took there and back; undefined until one has. */
  roundTripMs: number | undefined
  readonly #events: TalkEvents
  readonly #incoming = new Map<number, IncomingFile>()
  readonly #outgoing = new Map<number, OutgoingFile>()
  #lastOffered = 0
  #lastSent = 0
  readonly #newest = new Map<Message['type'], Message>()
  #isPosting = false
  #lastPing = 0
  #pingedAt = 0
  #isOver = false

  constructor(connection: Connection, me: Hello, events: TalkEvents) {
    this.connection = connection
    this.#events = events
    this.#post(me)
    void this.#run()
  }

  get isOver(): boolean {
    return this.#isOver
  }

  /** Settles when the connection is ready for more. */
  say(text: string, room = false): Promise<void> {
    return this.#write(messageFrame({ type: 'chat', text: text.slice(0, demoLimits.chatCharacters), room }))
  }

  sendRoster(peers: readonly LobbyEntry[]): void {
    this.#postNewest({ type: 'roster', peers: peers.slice(0, demoLimits.rosterEntries) })
  }

  sendState(address: string, links: readonly Link[]): void {
    this.#postNewest({ type: 'state', address, links: links.slice(0, mostLinks) })
  }

  askForUpgrade(): void {
    this.#post({ type: 'upgrade' })
  }

  /** Measures the round trip, unless the answer to the last one has still to come. */
  ping(): void {
    if (this.#pingedAt !== 0) return
    this.#pingedAt = performance.now()
    this.#lastPing += 1
    this.#post({ type: 'ping', id: this.#lastPing })
  }

  /** Offers a file, which goes as soon as the peer accepts it. */
  sendFile(source: FileSource, room = false): OutgoingFile {
    const id = ++this.#lastSent
    forgetFinished(this.#outgoing)
    const file = new OutgoingFile({ id, source, room, write: (frame) => this.#write(frame) })
    this.#outgoing.set(id, file)
    return file
  }

  /** Ends it in peace. */
  close(): Promise<void> {
    return this.connection.close()
  }

  async #run(): Promise<void> {
    const silent = setTimeout(() => {
      this.connection.abort(new MultiserverError('TIMEOUT', 'the far side did not say who it is'))
    }, demoLimits.helloTimeoutMs)
    let error: MultiserverError | undefined
    try {
      const reader = new ByteReader({ read: () => this.#read() })
      for (let frame = await readFrame(reader); frame !== null; frame = await readFrame(reader)) {
        if (this.#receive(frame)) clearTimeout(silent)
        else throw new MultiserverError('PROTOCOL', 'the far side said what makes no sense here')
      }
      void this.connection.close()
    } catch (thrown) {
      error = toError(thrown, 'CONNECTION_LOST')
      this.connection.abort(error)
    }
    clearTimeout(silent)
    this.#isOver = true
    for (const file of [...this.#incoming.values(), ...this.#outgoing.values()])
      file.fail('the connection ended')
    this.#events.onEnd(error)
  }

  #receive(frame: DemoFrame): boolean {
    if (this.hello === undefined) {
      return frame.kind === 'message' && frame.message.type === 'hello' && this.#greet(frame.message)
    }
    if (frame.kind === 'message') return this.#hear(frame.message)
    const file = this.#incoming.get(frame.id)
    return file === undefined ? frame.id <= this.#lastOffered : file.receive(frame.bytes)
  }

  #greet(hello: Hello): boolean {
    this.#checkKey(hello.address)
    this.hello = hello
    this.#events.onHello(hello)
    return true
  }

  #checkKey(address: string): void {
    const { remote } = this.connection
    const key = address === '' ? remote : announcedKey(address)
    if (remote !== undefined && key && equalBytes(key, remote)) return
    throw new MultiserverError(
      'WRONG_KEY',
      'the far side announced an address with a key that it did not prove',
    )
  }

  #ponged(id: number): boolean {
    if (this.#pingedAt === 0 || id !== this.#lastPing) return false
    this.roundTripMs = performance.now() - this.#pingedAt
    this.#pingedAt = 0
    return true
  }

  /** False for what can't be meant. What concerns a file that is over may still come, and changes nothing. */
  #hear(message: Message): boolean {
    switch (message.type) {
      case 'hello':
        return false
      case 'chat':
        this.#events.onChat(message.text, message.room)
        return true
      case 'ping':
        this.#postNewest({ type: 'pong', id: message.id })
        return true
      case 'pong':
        return this.#ponged(message.id)
      case 'roster':
        this.#events.onRoster?.(message.peers)
        return true
      case 'state':
        this.#checkKey(message.address)
        this.#events.onState?.(message.address, message.links)
        return true
      case 'upgrade':
        this.#events.onUpgrade?.()
        return true
      case 'offer':
        return this.#offered(message)
      case 'done':
        return this.#incoming.get(message.id)?.done(message.sha256) ?? message.id <= this.#lastOffered
      case 'withdraw':
        this.#incoming.get(message.id)?.fail(message.why)
        return message.id <= this.#lastOffered
      case 'accept':
        return this.#outgoing.get(message.id)?.accepted() ?? message.id <= this.#lastSent
      case 'progress':
        return this.#outgoing.get(message.id)?.progressed(message.received) ?? message.id <= this.#lastSent
      case 'received':
        return this.#outgoing.get(message.id)?.received(message.sha256) ?? message.id <= this.#lastSent
      case 'refuse':
        this.#outgoing.get(message.id)?.fail(`refused: ${message.why}`)
        return message.id <= this.#lastSent
    }
  }

  #offered({ id, name, size, room }: Offer): boolean {
    if (id <= this.#lastOffered) return false
    this.#lastOffered = id
    const file = new IncomingFile({ id, name, size, room, post: (message) => this.#post(message) })
    forgetFinished(this.#incoming)
    if (this.#incoming.size >= demoLimits.files) {
      file.refuse('too many files at once')
      return true
    }
    this.#incoming.set(id, file)
    this.#events.onOffer(file)
    return true
  }

  #post(message: Message): void {
    this.#write(messageFrame(message)).catch(() => undefined)
  }

  /** What only counts until there is a newer one: of each type one waits, however slowly the far side reads. */
  #postNewest(message: Message): void {
    this.#newest.set(message.type, message)
    if (!this.#isPosting) void this.#postAll()
  }

  async #postAll(): Promise<void> {
    this.#isPosting = true
    for (const [type, message] of this.#newest) {
      this.#newest.delete(type)
      // That it is over shows in reading.
      await this.#write(messageFrame(message)).catch(() => undefined)
    }
    this.#isPosting = false
  }

  async #read(): Promise<Bytes | null> {
    const chunk = await this.connection.read()
    this.movedBytes += chunk?.length ?? 0
    return chunk
  }

  #write(frame: Uint8Array): Promise<void> {
    this.movedBytes += frame.length
    return this.connection.write(frame)
  }
}

function forgetFinished(files: Map<number, IncomingFile | OutgoingFile>): void {
  for (const [id, file] of files) if (isOver(file)) files.delete(id)
}
