import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { cpus, loadavg, release, totalmem, type } from 'node:os'
import { executablePath } from './browser/chromium.ts'

/** Our own libraries come from the package's list, the rivals from that of `bench`. */
const ofPackage = ['sodium-native', 'ws', 'wrtc', 'simple-peer', 'multiserver-3.8.2']
const ofBench = [
  'libp2p',
  '@libp2p/webrtc',
  'node-datachannel',
  'peerjs',
  'peer',
  'y-webrtc',
  '@hyperswarm/secret-stream',
]

/** What the figures were taken on, as pairs of a name and a fact. */
export function machine(): [string, string][] {
  const [processor] = cpus()
  return [
    ['processor', `${cpus().length} × ${processor?.model ?? 'unknown'}`],
    ['memory', `${Math.round(totalmem() / 2 ** 30)} GiB`],
    ['system', `${type()} ${release()}, load average at the end ${loadavg()[0]?.toFixed(1)}`],
    ['Node', `${process.versions.node}, OpenSSL ${process.versions.openssl}`],
    ['browser', browserVersion()],
  ]
}

export function versions(): string {
  return [
    ...ofPackage.map((name) => `${name} ${versionOf(name, '')}`),
    ...ofBench.map((name) => `${name} ${versionOf(name, 'bench/')}`),
  ].join(', ')
}

function versionOf(name: string, folder: string): string {
  try {
    const file = new URL(`../../${folder}node_modules/${name}/package.json`, import.meta.url)
    return (JSON.parse(readFileSync(file, 'utf8')) as { version: string }).version
  } catch {
    return 'not installed'
  }
}

function browserVersion(): string {
  try {
    return execFileSync(executablePath, ['--version'], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
    }).trim()
  } catch {
    return 'none'
  }
}
