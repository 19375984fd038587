/** Cases of git's tests that end otherwise here, and why: script → case → reason. */
const apache = "a feature of Apache's configuration, not of a git server"
const program = 'answered by a program of the test behind Apache'
const headers = 'the same headers in another order, and Keep-Alive'
const identity = "this front tells git no committer: the platform's repositories keep no reflog"

export const otherwise: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  't5551-http-fetch-smart.sh': {
    'clone http repository': headers,
    'follow redirects (301)': apache,
    'follow redirects (302)': apache,
    'redirects re-root further requests': apache,
    'redirects send auth to new location': apache,
    'invalid Content-Type rejected': program,
    'smart clone respects namespace': apache,
    'dumb clone via http-backend respects namespace': apache,
    'cookies stored in http.cookiefile when http.savecookies set': apache,
    'custom http headers': apache,
    'server-side error detected': program,
  },
  't5541-http-push-smart.sh': {
    'http push gives sane defaults to reflog': identity,
    'http push respects GIT_COMMITTER_* in reflog': identity,
    'report error server does not provide ref status': program,
  },
}
