import { expect, it } from 'vitest'
import { createBridgeLog } from '../../../cli/bridge/log.ts'
import { MultiserverError } from '../../../core/errors.ts'

const key = Buffer.alloc(32, 7).toString('base64')

it('tells of what opens and how it ends, by one number', () => {
  const { log, lines } = createLog()
  const first = log.opened('a tunnel')
  const second = log.opened('another')
  second(5, 7, undefined)
  first(1, 2, new MultiserverError('TRUNCATED', 'it broke'))
  expect(lines.map((line) => line.replace(/[\d.]+ s$/, 'N s'))).toEqual([
    '#1 open: a tunnel',
    '#2 open: another',
    '#2 ended; 5 bytes there, 7 back, N s',
    '#1 broke, TRUNCATED: it broke; 1 bytes there, 2 back, N s',
  ])
})

it.each([
  `could not connect; rtc:h~shs2:${key}~tunnel:${key}: BUSY`,
  `could not connect; rtc:h~shs:${key.replace('=', '')}: BUSY`,
  `the peer ${key} is not there`,
])('cuts keys short, wherever they stand: %s', (message) => {
  const { log, lines } = createLog()
  log.failed(new MultiserverError('DIAL_FAILED', message), 'net:127.0.0.1:8009')
  expect(lines[0]).toMatch(/^net:127\.0\.0\.1:8009: DIAL_FAILED: /)
  expect(lines[0]).toContain(key.slice(0, 8))
  expect(lines[0]).not.toContain(key.slice(0, 9))
})

it('leaves a path as it is, and writes one line for each thing', () => {
  const { log, lines } = createLog()
  const path = `unix:/${'run/multiserver/'.repeat(5)}socket`
  log.failed(new Error('two\nlines'), path)
  expect(lines).toEqual([`${path}: CONNECTION_LOST: two�lines`])
})

function createLog() {
  const lines: string[] = []
  return { lines, log: createBridgeLog((line) => lines.push(line)) }
}
