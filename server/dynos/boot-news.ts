/** Tells what boot checks find out: the loop is to look, the app's log and whoever waits for the release are to know. */
import { STATUS_CODES } from 'node:http'
import { labelNames } from '../model/labels.js'
import type { BootCheckOptions } from './boot-check.js'
import type { LoopContext } from './loop-context.js'

export type BootNewsContext = Pick<LoopContext, 'engine' | 'releaseNews' | 'appLog' | 'nudge'>

export type BootNews = Pick<BootCheckOptions, 'onChange' | 'onFailedAttempt' | 'onAnswer'>

export function createBootNews({ engine, releaseNews, appLog, nudge }: BootNewsContext): BootNews {
  const about = async (containerId: string) => {
    const labels = (await engine.findContainer(containerId).catch(() => undefined))?.labels ?? {}
    const label = (name: string) => labels[name] ?? ''
    return { app: label(labelNames.app), dyno: label(labelNames.dyno), release: label(labelNames.release) }
  }
  const onChange = async (containerId: string) => {
    const { app } = await about(containerId)
    if (app !== '') nudge(app)
  }
  const onFailedAttempt = async (containerId: string, text: string) => {
    const { app, dyno, release } = await about(containerId)
    appLog(app, { source: 'heroku', dyno, text: `Health check failed: ${text}` })
    releaseNews.publish(release, { kind: 'step', text: `${dyno}: ${text}` })
  }
  const onAnswer = async (containerId: string, status: number, host: string) => {
    const text = noteOn(status, host)
    if (text === undefined) return
    const { dyno, release } = await about(containerId)
    // Of several dynos of one release the first speaks for all.
    if (dyno.endsWith('.1')) releaseNews.publish(release, { kind: 'step', text })
  }
  return {
    onChange: (containerId) => void onChange(containerId),
    onFailedAttempt: (containerId, text) => void onFailedAttempt(containerId, text),
    onAnswer,
  }
}

/** A dyno that answers is up, whatever it answers; the usual mistakes are worth a word all the same. */
function noteOn(status: number, host: string): string | undefined {
  const answer = `Note: GET / is answered with ${status} ${STATUS_CODES[status] ?? ''}`.trimEnd()
  if (status === 400) return `${answer}. A Django app must have ${host} in ALLOWED_HOSTS.`
  return status >= 500 ? `${answer}; paas logs shows why, if the app says so.` : undefined
}
