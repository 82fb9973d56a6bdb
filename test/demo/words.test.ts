import { describe, expect, it } from 'vitest'
import { describeError } from '../../cli/demo/words.ts'
import { MultiserverError, type ErrorCode } from '../../core/errors.ts'

const at = (address: string, code: ErrorCode, message?: string) =>
  new MultiserverError(code, message, { address })

describe('what went wrong, in words', () => {
  it('says once what all attempts have in common, and where they were', () => {
    const error = new MultiserverError('DIAL_FAILED', 'all failed', {
      attempts: [at('rtc:a', 'HUB_LOST'), at('rtc:b', 'HUB_LOST')],
    })
    expect(describeError(error)).toEqual({
      summary: 'The hub can not be reached.',
      details: ['rtc:a (HUB_LOST)', 'rtc:b (HUB_LOST)'],
    })
  })

  it('says of each attempt why it failed where they differ', () => {
    const error = new MultiserverError('DIAL_FAILED', 'all failed', {
      attempts: [at('rtc:a', 'HUB_LOST'), at('rtc:b', 'BUSY', 'the peer has no room')],
    })
    expect(describeError(error)).toEqual({
      summary: 'None of the ways in the address worked.',
      details: ['rtc:a: The hub can not be reached. (HUB_LOST)', 'rtc:b: The peer has no room. (BUSY)'],
    })
  })

  it('says of one kind of failure whatever is different', () => {
    const error = new MultiserverError('DIAL_FAILED', 'all failed', {
      attempts: [at('ws:a', 'BUSY', 'ten are waiting'), at('ws:b', 'BUSY', 'it is closing')],
    })
    expect(describeError(error)).toEqual({
      summary: 'Ten are waiting.',
      details: ['ws:a (BUSY)', 'ws:b: It is closing. (BUSY)'],
    })
  })
})
