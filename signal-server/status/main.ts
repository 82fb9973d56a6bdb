import type { StatusAnswer } from '../status-data.ts'
import { Announcer } from './announcer.ts'
import { Chart } from './chart.ts'
import { chartSpecs } from './charts.ts'
import { find, html, setText } from './dom.ts'
import { Feed } from './feed.ts'
import { figuresOf, summaryOf } from './figures.ts'
import { formatDuration, formatTime } from './format.ts'
import { History } from './history.ts'
import { showMeters } from './meters.ts'
import { showRefusals } from './refusals.ts'
import { findWorries } from './worries.ts'

const history = new History()
const announcer = new Announcer(find('#announcement'))
const charts = Object.entries(chartSpecs).map(([id, spec]) => new Chart(find(`#${id}`), spec))
let lastAnswerAtMs: number | undefined

setText(find('#hub-name'), location.host)
new Feed({ onAnswer: show, onTrouble: showTrouble }).start()

function show(answer: StatusAnswer): void {
  lastAnswerAtMs = Date.now()
  history.take(answer)
  document.body.classList.remove('lost')
  setText(find('#link'), 'Live')
  setText(find('#hub-age'), `is up for ${formatDuration(answer.upSeconds)}.`)
  setText(find('#hub-version'), `multiserver ${answer.version}.`)
  if (history.length === 0) return
  // A cluster and a relay are shown by a hub that has them.
  find('#nodes').hidden = history.latest('nodes') === null
  find('#circuits').hidden = history.latest('circuits') === null
  const figures = figuresOf(answer, history)
  for (const place of document.querySelectorAll<HTMLElement>('[data-figure]')) {
    setText(place, figures[place.dataset['figure'] ?? ''] ?? '')
  }
  showMeters(answer, history)
  for (const chart of charts) chart.show(history)
  showRefusals(history)
  showVerdict(findWorries(answer, history))
}

function showVerdict(worries: readonly string[]): void {
  const verdict = worries.length === 0 ? 'Yes. Nothing needs you now.' : 'Something needs you:'
  setVerdict(verdict, worries)
  announcer.say([verdict, ...worries].join(' '), summaryOf(history))
}

/** What was well may not be any more. */
function showTrouble(words: string): void {
  document.body.classList.add('lost')
  const since = lastAnswerAtMs === undefined ? '' : ` The figures are of ${formatTime(lastAnswerAtMs)}.`
  setText(find('#link'), `${words}${since}`)
  setVerdict('This page does not know:', [words])
  announcer.say(words, '')
}

function setVerdict(words: string, worries: readonly string[]): void {
  find('#verdict').classList.toggle('worried', worries.length > 0)
  setText(find('#verdict-words'), words)
  const list = find('#worries')
  if ([...list.children].map((item) => item.textContent).join('\n') === worries.join('\n')) return
  list.replaceChildren(...worries.map((worry) => html('li', {}, worry)))
}
