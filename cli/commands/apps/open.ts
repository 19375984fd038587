import { route } from '../../api-client.js'
import type { App } from '../../api-types.js'
import { openInBrowser } from '../../browser.js'
import { appFlags, command } from '../../command.js'
import { CliError } from '../../errors.js'
import { print } from '../../output.js'

export const appsOpen = command({
  name: 'apps:open',
  aliases: ['open'],
  description: 'open the app in a web browser',
  details: 'Prints the address where no browser can be opened.',
  args: { path: { description: 'path to open' } },
  flags: appFlags,
  examples: ['open', 'open /about'],
  async run({ args, app, api, flags }) {
    const found = await api.get<App>(route`/apps/${await app()}`)
    const url = new URL(args.path ?? '', found.web_url)
    if (url.origin !== new URL(found.web_url).origin) throw new CliError(`${args.path} is not a path of the app`)
    const opened = flags.json ? false : await openInBrowser(url)
    return { url: url.href, opened }
  },
  print({ url, opened }) {
    print(opened ? `Opening ${url}` : url)
  },
})
