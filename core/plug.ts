/** For people who write plugs: the types, the errors, and helpers to build a byte stream with. */
export { formatArgument, formatSection, parseKeyText, parseSection, sectionArgument } from './address.ts'
export { ByteQueue, type ByteQueueOptions } from './byte-queue.ts'
export { ByteReader } from './byte-reader.ts'
export { errorCodes, MultiserverError, toError, type ErrorCode, type ErrorDetails } from './errors.ts'
export { limits } from './limits.ts'
export { createPair, type PairOptions } from './pair.ts'
export type * from './types.ts'
