import type { DialStage } from './types.ts'

/** Milliseconds that each stage of a dial took, in the order in which they came. */
export type StageTimes = Readonly<Partial<Record<DialStage, number>>>

/** Passes the stages of a dial on and keeps how long each took. */
export function timeStages<Stage extends DialStage>(
  onProgress: ((stage: Stage) => void) | undefined,
): {
  onProgress: (stage: Stage) => void
  stageMs: Readonly<Partial<Record<Stage, number>>>
} {
  const stageMs: Partial<Record<Stage, number>> = {}
  let before = performance.now()
  return {
    stageMs,
    onProgress(stage) {
      const now = performance.now()
      stageMs[stage] = now - before
      before = now
      onProgress?.(stage)
    },
  }
}
