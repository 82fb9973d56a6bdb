import { ByteReader } from '../../core/byte-reader.ts'
import { equalBytes } from '../../core/bytes.ts'
import { MultiserverError, toError } from '../../core/errors.ts'
import type { Connection } from '../../core/connection.ts'
import { messageFrame, readFrame, type DemoFrame } from './frames.ts'
import { IncomingFile } from './incoming-file.ts'
import { OutgoingFile, type FileSource } from './outgoing-file.ts'
import { announcedKey, demoLimits, type Hello, type Message, type RosterEntry } from './protocol.ts'
import { isOver } from './transfer.ts'

export interface TalkEvents {
  /** First, and once: the peer has said who it is, and the key in its address is the one it proved. */
  onHello(hello: Hello): void
  onChat(text: string): void
  onRoster?(peers: readonly RosterEntry[]): void
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
  readonly #events: TalkEvents
  readonly #incoming = new Map<number, IncomingFile>()
  readonly #outgoing = new Map<number, OutgoingFile>()
  #lastOffered = 0
  #lastSent = 0
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
  say(text: string): Promise<void> {
    return this.#write(messageFrame({ type: 'chat', text: text.slice(0, demoLimits.chatCharacters) }))
  }

  sendRoster(peers: readonly RosterEntry[]): void {
    this.#post({ type: 'roster', peers: peers.slice(0, demoLimits.rosterEntries) })
  }

  /** Offers a file, which goes as soon as the peer accepts it. */
  sendFile(source: FileSource): OutgoingFile {
    const id = ++this.#lastSent
    forgetFinished(this.#outgoing)
    const file = new OutgoingFile(id, source, (frame) => this.#write(frame))
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
      const reader = new ByteReader(this.connection)
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
    const { remote } = this.connection
    const key = hello.address === '' ? remote : announcedKey(hello.address)
    if (remote === undefined || !key || !equalBytes(key, remote)) {
      throw new MultiserverError(
        'WRONG_KEY',
        'the far side announced an address with a key that it did not prove',
      )
    }
    this.hello = hello
    this.#events.onHello(hello)
    return true
  }

  /** False for what can't be meant. What concerns a file that is over may still come, and changes nothing. */
  #hear(message: Message): boolean {
    switch (message.type) {
      case 'hello':
        return false
      case 'chat':
        this.#events.onChat(message.text)
        return true
      case 'roster':
        this.#events.onRoster?.(message.peers)
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

  #offered({ id, name, size }: Extract<Message, { type: 'offer' }>): boolean {
    if (id <= this.#lastOffered) return false
    this.#lastOffered = id
    const file = new IncomingFile({ id, name, size, post: (message) => this.#post(message) })
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

  #write(frame: Uint8Array): Promise<void> {
    return this.connection.write(frame)
  }
}

function forgetFinished(files: Map<number, IncomingFile | OutgoingFile>): void {
  for (const [id, file] of files) if (isOver(file)) files.delete(id)
}
