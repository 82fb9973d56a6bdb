import type { Transform } from '../../core/types.ts'
import rtc, { type RtcOptions } from '../../plugs/rtc/index.ts'
import type { Contestant } from '../contestant.ts'
import { dialStack, serveStack } from './stacks.ts'

/** This package over WebRTC, in Node or in a page; `introducer` is the URL of its hub. */
export function overHub(secure: () => Promise<Transform[]>, options: RtcOptions = {}): Contestant {
  return {
    serve: async (_link, introducer) =>
      serveStack([rtc({ hub: introducer, ...options }), ...(await secure())]),
    dial: async (address) => dialStack([rtc(options), ...(await secure())], address),
  }
}
