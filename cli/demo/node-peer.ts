import { toBase64 } from '../../core/bytes.ts'
import type { Connection } from '../../core/connection.ts'
import type { MultiserverError } from '../../core/errors.ts'
import type { Link } from './links.ts'
import type { IncomingFile } from './incoming-file.ts'
import type { Hello, RosterEntry } from './protocol.ts'
import { Talk } from './talk.ts'
import type { Print } from './terminal.ts'
import { linkOf, TalkMeter, toldLinks } from './talk-meter.ts'
import { formatBytes, printableLine } from './text.ts'
import { describeConnection, describeError, shortKey } from './words.ts'

export interface NodePeerOptions {
  /** What it says first; asked for each connection, for the address is known only once it listens. */
  readonly hello: () => Hello
  readonly print: Print
  /** What to answer to a chat message, where it was said; undefined for nothing. */
  readonly answer: (text: string, talk: Talk, hello: Hello) => string | undefined
}

/** What to do beside printing it. */
export interface NodeTalkEvents {
  readonly onHello?: (talk: Talk, hello: Hello) => void
  readonly onRoster?: (peers: readonly RosterEntry[]) => void
  readonly onState?: (talk: Talk, address: string, links: readonly Link[]) => void
  readonly onUpgrade?: (talk: Talk) => void
  readonly onEnd?: (talk: Talk) => void
}

const noKey = new Uint8Array()

/** Larger files are refused: nobody looks at them here. */
const mostFileBytes = 256 * 1024 * 1024

/** A peer of the demo without a screen: says in the terminal what happens, answers, and checks files. */
export class NodePeer {
  readonly #options: NodePeerOptions
  readonly #talks = new Set<Talk>()
  readonly #meter = new TalkMeter()

  constructor(options: NodePeerOptions) {
    this.#options = options
  }

  talk(connection: Connection, events: NodeTalkEvents = {}): Talk {
    const { hello: me, print, answer } = this.#options
    let who = `a peer with the key ${shortKey(toBase64(connection.remote ?? noKey))}`
    const talk: Talk = new Talk(connection, me(), {
      onHello(hello) {
        who = nameOf(hello)
        print(meetingWords(who, connection))
        connection.on('path', () =>
          print(`is connected to ${who} ${describeConnection(connection).path} now`),
        )
        events.onHello?.(talk, hello)
      },
      onChat: (text, inRoom) => {
        print(`${who} says${inRoom ? ' to all' : ''}: ${quote(text)}`)
        const words = talk.hello && answer(text, talk, talk.hello)
        // Only people are answered before everyone, or two machines would never stop.
        if (words === undefined || (inRoom && talk.hello?.kind !== 'browser')) return
        if (inRoom) this.sayToAll(words)
        else this.say(talk, words)
      },
      onRoster: (peers) => events.onRoster?.(peers),
      onState: (address, links) => events.onState?.(talk, address, links),
      onUpgrade: () => events.onUpgrade?.(talk),
      onOffer: (file) => receiveFile(file, who, print),
      onEnd: (error) => {
        print(`${who} is gone${error === undefined ? '' : `: ${errorLine(error)}`}`)
        this.#talks.delete(talk)
        events.onEnd?.(talk)
      },
    })
    this.#talks.add(talk)
    return talk
  }

  say(talk: Talk, text: string): void {
    this.#options.print(
      `says to ${talk.hello === undefined ? 'the peer' : nameOf(talk.hello)}: ${quote(text)}`,
    )
    // That the peer is gone shows as the end of the talk.
    talk.say(text).catch(() => undefined)
  }

  /** The same to everyone it is connected to, each once. */
  sayToAll(text: string): void {
    const oneEach = new Map([...this.#talks].map((talk) => [toBase64(talk.connection.remote ?? noKey), talk]))
    this.#options.print(`says to all: ${quote(text)}`)
    for (const talk of oneEach.values()) {
      if (talk.hello !== undefined) talk.say(text, true).catch(() => undefined)
    }
  }

  /** How it is linked now, for the lobby. */
  links(): Link[] {
    const met = [...this.#talks].filter(({ hello }) => hello !== undefined)
    return toldLinks(met.map((talk) => linkOf(talk, this.#meter.read(talk))))
  }

  /** Says goodbye to everyone, those dialed from here among them. */
  async close(): Promise<void> {
    await Promise.all([...this.#talks].map((talk) => talk.close()))
  }
}

export function errorLine(error: MultiserverError): string {
  const { summary, details } = describeError(error)
  return [summary, ...details].map(printableLine).join(' ')
}

export function nameOf({ kind, name }: RosterEntry): string {
  return kind === name ? `the ${kind}` : `${kind} "${name}"`
}

function meetingWords(who: string, connection: Connection): string {
  const { transport, path, proven, encryption } = describeConnection(connection)
  const meeting = connection.role === 'client' ? `reached ${who}` : `was reached by ${who}`
  return [
    `${meeting} over ${transport}, ${path};`,
    `it proved the key ${shortKey(proven)}; encrypted: ${encryption}`,
  ].join('\n')
}

function quote(text: string): string {
  const line = printableLine(text)
  return `“${line.length > 160 ? `${line.slice(0, 160)}…` : line}”`
}

/** Files are counted and hashed, and kept nowhere. */
function receiveFile(file: IncomingFile, who: string, print: Print): void {
  const what = `${quote(file.name)} (${formatBytes(file.size)}) from ${who}`
  if (file.size > mostFileBytes) {
    file.refuse(`more than ${formatBytes(mostFileBytes)} is not taken here`)
    return print(`does not take ${what}: too large`)
  }
  print(`receives ${what}`)
  let toldQuarters = 0
  file.onChange = () => {
    const quarters = Math.floor((4 * file.moved) / file.size)
    if (file.state === 'moving' && quarters > toldQuarters) {
      toldQuarters = quarters
      print(`  ${progressBar(quarters)} ${25 * quarters} %`)
    }
    if (file.state === 'verified')
      print(`has all of ${what}\n  SHA-256 ${file.sha256 ?? ''}, as the sender says`)
    if (file.state === 'failed') print(`did not get ${what}: ${file.why ?? ''}`)
  }
  file.accept()
}

function progressBar(quarters: number): string {
  return `[${'█'.repeat(4 * quarters)}${'·'.repeat(16 - 4 * quarters)}]`
}
