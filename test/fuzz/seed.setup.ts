import fc from 'fast-check'
import { afterEach, beforeEach, inject } from 'vitest'
import type { Round } from './context.ts'

const { seed }: Round = inject('round')
let cases = 0

// Counted where each case begins; what is shrunk after a finding counts too.
fc.configureGlobal({ seed, beforeEach: () => void (cases += 1) })

beforeEach(() => {
  cases = 0
})

afterEach(({ task }) => {
  task.meta.cases = cases
})
