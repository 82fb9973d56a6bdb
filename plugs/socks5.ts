import { fromText } from '../core/bytes.ts'
import { ByteReader } from '../core/byte-reader.ts'
import { MultiserverError } from '../core/errors.ts'
import { parseIp } from '../core/ip.ts'
import type { Bytes, ByteStream } from '../core/types.ts'

export interface Socks5Request {
  /** A name goes to the proxy as it is: it is never resolved here. At most 255 bytes. */
  readonly host: string
  readonly port: number
  readonly credentials?: Socks5Credentials | undefined
}

/** Each of 1 to 255 bytes (RFC 1929, section 2). */
export interface Socks5Credentials {
  readonly username: string
  readonly password: string
}

/*
 * RFC 1928, all numbers in one byte unless said otherwise:
 *
 *   client                                          proxy
 *   5 | count | methods                  ->
 *                                        <-         5 | method
 *   1 | length | name | length | password ->                            (method 2: RFC 1929)
 *                                        <-         1 | status
 *   5 | 1 connect | 0 | type | address | port (2) ->
 *                                        <-         5 | reply | 0 | type | address | port (2)
 *   and then the bytes of the connection, both ways.
 */
const version = 5
const authVersion = 1
const connectCommand = 1
const methods = { none: 0, password: 2, noneAcceptable: 0xff } as const
const addressTypes = { ipv4: 1, name: 3, ipv6: 4 } as const

/** RFC 1928, section 6; from 0xf0 on what Tor says of onion services (its proposal 304). */
const replies: Readonly<Record<number, string>> = {
  1: 'general failure',
  2: 'its rules do not allow the connection',
  3: 'the network is unreachable',
  4: 'the host is unreachable',
  5: 'the connection was refused',
  6: 'the time to live expired',
  7: 'it can not connect',
  8: 'it does not know this type of address',
  0xf0: 'no descriptor of the onion service can be found',
  0xf1: 'the descriptor of the onion service is invalid',
  0xf2: 'the introduction to the onion service failed',
  0xf3: 'the rendezvous with the onion service failed',
  0xf4: 'the onion service wants a client authorization',
  0xf5: 'the onion service refused the client authorization',
  0xf6: 'the onion address is invalid',
  0xf7: 'the introduction to the onion service timed out',
}

/**
 * Has the SOCKS5 proxy at the far side of `stream` connect to somewhere, and gives the bytes that come from there:
 * what is to be read then. Writes and all else stay with `stream`, which the caller aborts when this rejects.
 *
 * Rejects with CONNECT_FAILED when the proxy refuses or hangs up, with PROTOCOL when it speaks something else.
 */
export async function connectBySocks5(
  stream: ByteStream,
  request: Socks5Request,
): Promise<Pick<ByteStream, 'read'>> {
  const reader = new ByteReader(stream)
  await chooseMethod(stream, reader, request.credentials)
  await stream.write(encodeRequest(request))
  await readReply(reader)
  return {
    // What came in one piece with the reply is the far side's already.
    read: () => (reader.available > 0 ? reader.read(reader.available) : stream.read()),
  }
}

async function chooseMethod(
  stream: ByteStream,
  reader: ByteReader,
  credentials: Socks5Credentials | undefined,
): Promise<void> {
  const offered = credentials === undefined ? [methods.none] : [methods.password, methods.none]
  await stream.write(Uint8Array.of(version, offered.length, ...offered))
  const [got, method] = await readBytes(reader, 2)
  checkVersion(got)
  if (method === methods.password && credentials !== undefined) {
    return authenticate(stream, reader, credentials)
  }
  if (method === methods.none) return
  if (method !== methods.noneAcceptable) throw refuse(`chose the method ${method}, which was not offered`)
  const why =
    credentials === undefined
      ? 'the proxy serves nobody without a username and a password'
      : 'the proxy knows neither passwords nor lets anybody in without'
  throw new MultiserverError('CONNECT_FAILED', why)
}

/** RFC 1929. */
async function authenticate(
  stream: ByteStream,
  reader: ByteReader,
  { username, password }: Socks5Credentials,
): Promise<void> {
  const [name, secret] = [fromText(username), fromText(password)]
  await stream.write(Uint8Array.of(authVersion, name.length, ...name, secret.length, ...secret))
  const [got, status] = await readBytes(reader, 2)
  if (got !== authVersion) throw refuse(`answered the password with the version ${got}`)
  if (status !== 0) {
    throw new MultiserverError('CONNECT_FAILED', 'the proxy refused the user name and the password')
  }
}

function encodeRequest({ host, port }: Socks5Request): Bytes {
  const ip = parseIp(host)
  const name = fromText(host)
  const address =
    ip === null
      ? [addressTypes.name, name.length, ...name]
      : [ip.length === 4 ? addressTypes.ipv4 : addressTypes.ipv6, ...ip]
  return Uint8Array.of(version, connectCommand, 0, ...address, port >> 8, port & 0xff)
}

async function readReply(reader: ByteReader): Promise<void> {
  const [got, reply = 0] = await readBytes(reader, 2)
  checkVersion(got)
  // Nothing needs to follow a refusal, and some proxies leave it at that.
  if (reply !== 0) {
    throw new MultiserverError('CONNECT_FAILED', `the proxy says: ${replies[reply] ?? `reply ${reply}`}`)
  }
  const [, type] = await readBytes(reader, 2)
  await readBytes(reader, (await addressBytes(reader, type)) + 2)
}

/** The address that the proxy connects from is of no use to us, but has to be got over. */
async function addressBytes(reader: ByteReader, type: number | undefined): Promise<number> {
  switch (type) {
    case addressTypes.ipv4:
      return 4
    case addressTypes.ipv6:
      return 16
    case addressTypes.name: {
      const [length = 0] = await readBytes(reader, 1)
      return length
    }
    default:
      throw refuse(`answered with an address of type ${type}`)
  }
}

async function readBytes(reader: ByteReader, length: number): Promise<Bytes> {
  const bytes = await reader.read(length).catch((cause: unknown) => {
    if (cause instanceof MultiserverError && cause.code === 'TRUNCATED') return null
    throw cause
  })
  if (bytes === null) throw new MultiserverError('CONNECT_FAILED', 'the proxy hung up')
  return bytes
}

function checkVersion(got: number | undefined): void {
  if (got !== version) throw refuse(`is none of SOCKS5: it answered with the byte ${got}`)
}

function refuse(what: string): MultiserverError {
  return new MultiserverError('PROTOCOL', `the proxy ${what}`)
}
