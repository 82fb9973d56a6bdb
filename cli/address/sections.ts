import { formatSection, parseKeyText, type Section } from '../../core/address.ts'
import { fromBase64, shortKey } from '../../core/bytes.ts'
import { checkPublicKey } from '../../core/ed25519.ts'
import { hubUrlOf } from '../../core/hub-name.ts'
import { classifyHost } from '../../core/ip.ts'
import { hostOf } from '../../plugs/directory/host-of.ts'
import { dialTransports } from '../stacks.ts'
import { printable } from '../terminal.ts'

/** One section in words. */
export interface SectionWords {
  /** The section, its key shortened. */
  readonly title: string
  readonly words: string
  /** What is wrong with it. */
  readonly problem?: string | undefined
}

/** How and where the peer is reached. `isAlone`: no transform follows. */
export function explainTransport(section: Section, isAlone: boolean): SectionWords {
  const title = printable(formatSection(section))
  const known = transports[section.name]
  if (known === undefined) {
    return { title, words: 'a transport that this version does not know; it is skipped' }
  }
  const argument = section.data.join(':')
  const isRight = dialTransports({}).some((transport) => transport.parse(formatSection(section)) !== null)
  if (!isRight) return { title, words: known.words, problem: `${section.name} needs ${known.needs}` }
  const problem =
    section.name === 'rtc' && isAlone ? 'rtc needs a key behind it, as in rtc:HUB~shs2:KEY' : undefined
  const reach = reachWords(section)
  const through = section.name === 'rtc' ? `${known.words} ${hubUrlOf(argument) ?? ''}` : known.words
  return { title, words: reach === undefined ? through : `${through}; ${reach}`, problem }
}

/** How it is secured, and which key is to be proved. */
export function explainTransform(section: Section): SectionWords {
  const { name, data } = section
  const protocol = protocols[name]
  if (protocol === undefined) {
    return {
      title: printable(formatSection(section)),
      words: 'a protocol that this version does not know; the alternative is skipped',
    }
  }
  if (name === 'noauth') {
    const problem = data.length > 0 ? 'noauth stands alone' : undefined
    return { title: name, words: protocol.words, problem }
  }
  const [keyText = '', seedText] = data
  const key = parseKeyText(keyText)
  const title = key === null ? printable(formatSection(section)) : `${name}:${shortKey(key)}`
  const invite = seedText === undefined ? '' : '; an invite: whoever has it comes in with the seed in it'
  const problem = whyNoKey(keyText) ?? (seedText === undefined ? undefined : whyNoSeed(seedText))
  const proof =
    name === 'tunnel' ? 'leads to this key, which the next section proves' : 'the peer proves this key'
  const words = key === null ? protocol.words : `${protocol.words}; ${proof}${invite}`
  return { title, words, problem }
}

/** That of the last section that has one. */
export function strengthOf(sections: readonly Section[]): number {
  const last = sections.slice(1).findLast(({ name }) => protocols[name] !== undefined)
  return last === undefined ? 0 : (protocols[last.name]?.strength ?? 0)
}

const place = 'HOST:PORT, with a port from 1 to 65535'
const url = '//HOST:PORT/PATH, without a user or a fragment'

const transports: Readonly<Record<string, { words: string; needs: string }>> = {
  net: { words: 'TCP', needs: place },
  ws: { words: 'WebSocket', needs: url },
  wss: { words: 'WebSocket over TLS', needs: url },
  rtc: { words: 'WebRTC, introduced by the hub', needs: 'a hub: HOST, HOST:PORT, or a ws:// or wss:// URL' },
  unix: { words: 'a socket in the file system', needs: 'a path' },
  onion: { words: 'Tor', needs: place },
  utp: { words: 'uTP, over UDP', needs: place },
  memory: {
    words: 'within one process only; this program can not dial it',
    needs: 'to be dialed in its own process',
  },
}

const protocols: Readonly<Record<string, { words: string; strength: number }>> = {
  shs2: { words: 'strength 2: Noise XK with ML-KEM-768', strength: 2 },
  shs: { words: 'strength 1: secret-handshake', strength: 1 },
  tunnel: { words: 'through a bridge, whose key stands before and which passes bytes', strength: 0 },
  noauth: { words: 'strength 0: not encrypted, nothing is proved', strength: 0 },
}

/** From where, as far as the host says. */
function reachWords(section: Section): string | undefined {
  const host = hostOf(section)
  if (section.name === 'unix') return 'from this machine'
  if (host === null || section.name === 'onion') return undefined
  const kinds = {
    loopback: 'from the same machine only',
    private: 'from the same local network',
    public: 'from anywhere',
    refused: 'an address that leads nowhere',
  } as const
  return kinds[classifyHost(host)]
}

function whyNoKey(text: string): string | undefined {
  if (text === '') return 'the key is missing: 44 characters of base64'
  const key = parseKeyText(text)
  if (key !== null) return checkPublicKey(key) ? undefined : 'nobody can prove this key'
  const bytes = fromBase64(text.replace(/^@/, '').replace(/\.ed25519$/, ''))
  return bytes === null
    ? 'the key is no base64'
    : `the key has ${bytes.length} bytes instead of 32: it was cut, or is another thing`
}

function whyNoSeed(text: string): string | undefined {
  return parseKeyText(text) === null ? 'the seed behind the key is not the base64 of 32 bytes' : undefined
}
