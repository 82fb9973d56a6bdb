import type { Table } from './table.ts'
import { connections } from './tables/connections.ts'
import { memory } from './tables/memory.ts'
import { messages } from './tables/messages.ts'
import { throughput } from './tables/throughput.ts'
import { webrtc } from './tables/webrtc.ts'

/** What is measured beside what, in this order. */
export const tables: readonly Table[] = [...throughput, ...messages, ...connections, ...memory, ...webrtc]
