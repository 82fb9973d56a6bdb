import { statSync } from 'node:fs'
import { isIP, isIPv4 } from 'node:net'
import type { IceServer } from '../core/hub-protocol.ts'
import { type HubLimits, limitsWith } from './limits.ts'
import { canonicalNames } from './names.ts'

/** What the text of a setting may be, and what it stands for. */
export interface SettingType<T> {
  /** As help shows it: `--port PORT`; undefined: the flag stands alone, and `--no-…` takes it back. */
  readonly placeholder: string | undefined
  /** Ends the sentence "must be …". */
  readonly allowed: string
  /** Undefined when the text is not that; throws a TypeError where there is more to say. */
  parse(text: string): T | undefined
  /** Whether the text may also come from a file, never from a flag, and is never repeated to anybody. */
  readonly isSecret?: true
}

export const text: SettingType<string> = {
  placeholder: 'TEXT',
  allowed: 'a text',
  parse: (given) => given,
}

export const host: SettingType<string> = { ...text, placeholder: 'HOST', allowed: 'an address or a name' }

export const file: SettingType<string> = { ...text, placeholder: 'FILE', allowed: 'the path of a file' }

export const secret: SettingType<string> = { ...text, allowed: 'a text', isSecret: true }

export const port: SettingType<number> = {
  placeholder: 'PORT',
  allowed: 'a port (0 to 65535)',
  parse: (given) => wholeNumber(given, 65_535),
}

export const yesOrNo: SettingType<boolean> = {
  placeholder: undefined,
  allowed: 'yes or no',
  parse(given) {
    if (/^(yes|true|on|1)$/i.test(given)) return true
    return /^(no|false|off|0)$/i.test(given) ? false : undefined
  },
}

export const folder: SettingType<string> = {
  placeholder: 'FOLDER',
  allowed: 'a folder that is there',
  parse: (given) => (statSync(given, { throwIfNoEntry: false })?.isDirectory() === true ? given : undefined),
}

export const hubNames: SettingType<readonly string[]> = {
  placeholder: 'URL,…',
  allowed: 'ws:// or wss:// URLs, with commas between them',
  parse: (given) => canonicalNames(list(given)),
}

export const origins: SettingType<readonly string[]> = {
  placeholder: 'ORIGIN,…',
  allowed: 'origins such as https://example.com, with commas between them',
  parse: (given) => listOf(given, (origin) => URL.canParse(origin) && new URL(origin).origin === origin),
}

export const networks: SettingType<readonly string[]> = {
  placeholder: 'NETWORK,…',
  allowed: 'addresses or networks such as 10.0.0.0/8, with commas between them',
  parse: (given) => listOf(given, isNetwork),
}

export const urls: SettingType<readonly string[]> = {
  placeholder: 'URL,…',
  allowed: 'URLs with commas between them',
  parse: list,
}

/** URLs, or JSON where TURN servers have credentials of their own. */
export const iceServers: SettingType<readonly IceServer[]> = {
  placeholder: 'URL,…',
  allowed: 'URLs with commas between them, or a JSON list of { urls, username, credential }',
  parse: (given) =>
    given.trimStart().startsWith('[') ? iceServersIn(given) : list(given).map((url) => ({ urls: [url] })),
}

export const limitChanges: SettingType<HubLimits> = {
  placeholder: 'NAME=NUMBER,…',
  allowed: 'limits such as registeredPeers=5000, with commas between them',
  parse(given) {
    const changes = list(given).map((change) => change.split('='))
    const areNamed = changes.every(([, value = '', ...more]) => value !== '' && more.length === 0)
    if (!areNamed) return undefined
    return limitsWith(Object.fromEntries(changes.map(([name, value]) => [name, Number(value)])))
  },
}

export function choice<const T extends string>(...choices: T[]): SettingType<T> {
  return {
    placeholder: 'LEVEL',
    allowed: `one of ${choices.join(', ')}`,
    parse: (given) => choices.find((known) => known === given),
  }
}

export function seconds(most: number): SettingType<number> {
  return {
    placeholder: 'SECONDS',
    allowed: `whole seconds (0 to ${most})`,
    parse: (given) => wholeNumber(given, most),
  }
}

function wholeNumber(given: string, most: number): number | undefined {
  return /^\d{1,9}$/.test(given) && Number(given) <= most ? Number(given) : undefined
}

function list(given: string): string[] {
  const items = given.split(',').map((item) => item.trim())
  return items.filter((item) => item !== '')
}

function listOf(given: string, isItem: (item: string) => boolean): string[] | undefined {
  const items = list(given)
  return items.every(isItem) ? items : undefined
}

function isNetwork(given: string): boolean {
  const [address = '', bits, ...more] = given.split('/')
  if (isIP(address) === 0 || more.length > 0) return false
  return bits === undefined || wholeNumber(bits, isIPv4(address) ? 32 : 128) !== undefined
}

function iceServersIn(json: string): IceServer[] {
  const servers = parseJson(json)
  if (Array.isArray(servers) && servers.every(isIceServer)) return servers
  // There are credentials in it, which are not to be repeated.
  throw new TypeError('the JSON must be a list of { urls: [URL, …], username, credential }')
}

function isIceServer(value: unknown): value is IceServer {
  if (typeof value !== 'object' || value === null || !('urls' in value)) return false
  const { urls: listed, ...named } = value
  const known = Object.entries(named).every(
    ([name, item]) => /^(username|credential)$/.test(name) && typeof item === 'string',
  )
  return known && Array.isArray(listed) && listed.every((url) => typeof url === 'string')
}

function parseJson(json: string): unknown {
  try {
    return JSON.parse(json)
  } catch {
    return undefined
  }
}
