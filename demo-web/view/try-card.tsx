import type { Experiment } from '../model/experiment.ts'
import type { PageModel } from '../model/page-model.ts'

/** The buttons that show what is special, and what came of them. */
export function TryCard({ model }: { model: PageModel }) {
  const { experiments, company } = model
  const isCut = company.firewall.isClosed.value
  return (
    <section class="card card-try" aria-labelledby="try-title">
      <h2 id="try-title">Break it</h2>
      <div class="tries">
        <Try
          title="Cut the direct path"
          about="The chat goes on over the hub’s relay, which can’t read it."
          label={isCut ? 'Let direct paths through' : 'Cut it'}
          experiment={isCut ? experiments.mendPath : experiments.cutPath}
          shown={
            experiments.mendPath.state.value.state === 'idle' || isCut
              ? experiments.cutPath
              : experiments.mendPath
          }
        />
        <Try
          title="Restart the hub"
          about="Under a running transfer, which does not notice."
          label="Send and restart"
          experiment={experiments.restartHub}
        />
        <Try
          title="Upgrade a peer"
          about="The desktop speaks shs. Give it shs2 while it runs; nothing is negotiated."
          label="Upgrade it"
          experiment={experiments.upgrade}
        />
        <Try
          title="Come with the wrong key"
          about="Right place, wrong key: whoever answers must prove the one in the address."
          label="Knock"
          experiment={experiments.wrongKey}
        />
      </div>
    </section>
  )
}

interface TryProps {
  readonly title: string
  readonly about: string
  readonly label: string
  readonly experiment: Experiment
  /** Whose steps are shown. @default those of `experiment` */
  readonly shown?: Experiment | undefined
}

function Try({ title, about, label, experiment, shown = experiment }: TryProps) {
  const { state, steps } = shown.state.value
  const isRunning = state === 'running' || experiment.state.value.state === 'running'
  return (
    <article class="try" data-state={state} aria-label={title}>
      <h3>{title}</h3>
      <p class="quiet">{about}</p>
      <button type="button" aria-disabled={isRunning} onClick={() => void (isRunning || experiment.run())}>
        {isRunning ? 'Running…' : label}
      </button>
      <div role="log" aria-label={`${title}: what happens`}>
        <ol class="steps">
          {steps.map(({ text, afterMs }, index) => (
            <li key={index} class={state === 'bad' && index === steps.length - 1 ? 'step-bad' : undefined}>
              <span class="when">{(afterMs / 1_000).toFixed(1)} s</span> {text}
            </li>
          ))}
        </ol>
      </div>
    </article>
  )
}
