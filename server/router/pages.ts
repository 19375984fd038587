/**
 * The pages visitors see when the router answers itself. Each is one small HTML file without anything from elsewhere.
 *
 * They are HAProxy format strings: `%[…]` is filled in per request, so a literal per cent sign is doubled. Nothing a
 * client sent is ever printed, only the request's id, a code, and words of our own.
 */
import type { RouteState } from '../model/route-table.js'
import { type RouterCode, routerCodes } from './codes.js'

export interface Page {
  readonly status: number
  readonly title: string
  readonly text: string
  /** Shown small, with the request id; an HAProxy expression is fine. */
  readonly code?: string
}

/** What an app that can't be routed to answers, by its state. */
export const statePages: Readonly<Record<Exclude<RouteState, 'up'>, Page & { readonly code?: RouterCode }>> = {
  'no-release': {
    status: 404,
    title: 'Nothing here yet',
    text: 'This app exists, but no code has been pushed to it. If it is yours, run: git push paas main',
  },
  'no-web': {
    status: 503,
    code: 'H14',
    title: 'No web processes running',
    text: 'This app has no web dynos. If it is yours, run: paas ps:scale web=1',
  },
  crashed: {
    status: 503,
    code: 'H10',
    title: 'Application error',
    text: 'This app has crashed. If it is yours, its logs say why: paas logs --tail',
  },
  booting: {
    status: 503,
    code: 'H20',
    title: 'Starting',
    text: 'This app is still starting. Try again in a moment.',
  },
  maintenance: {
    status: routerCodes.H80.status,
    code: 'H80',
    title: 'Offline for maintenance',
    text: 'This app is undergoing maintenance. Please check back later.',
  },
}

export const noAppPage: Page = {
  status: 404,
  title: 'No such app',
  text: 'There is no app at this address.',
}

export const misdirectedPage: Page = {
  status: routerCodes.H31.status,
  code: 'H31',
  title: 'Misdirected request',
  text: 'This connection was made for another host name.',
}

/** For failures between router and dyno; the code is looked up from how the stream ended. */
export function failurePage(codesMap: string): Page {
  return {
    status: 503,
    code: `%[txn.sess_term_state,map_str(${codesMap},H99)]`,
    title: 'Application error',
    text: 'An error occurred in the app and this page could not be served. If it is yours, its logs have details: paas logs --tail',
  }
}

/** One page as an HAProxy format string. */
export function renderPage(page: Page): string {
  const details = page.code === undefined ? 'Request %[unique-id]' : `Code ${page.code} &middot; Request %[unique-id]`
  return `<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="robots" content="noindex">
<title>${page.title}</title>
<style>
body { font: 16px/1.5 system-ui, sans-serif; color: #222; background: #f6f6f8; margin: 0; padding: 15vh 1.5rem }
main { max-width: 34rem; margin: 0 auto }
h1 { font-size: 1.6rem; margin: 0 0 .5rem }
small { color: #777 }
</style>
</head>
<body>
<main>
<h1>${page.title}</h1>
<p>${page.text}</p>
<p><small>${details}</small></p>
</main>
</body>
</html>
`
}
