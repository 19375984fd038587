# Sourced by every dyno of a Node.js app before its command.
export PATH="$HOME/.heroku/node/bin:$PATH:$HOME/bin:$HOME/node_modules/.bin"
for __paas_tool in npm yarn pnpm; do
  [[ ! -d $HOME/.heroku/$__paas_tool/bin ]] || PATH="$HOME/.heroku/$__paas_tool/bin:$PATH"
done
unset __paas_tool
export NODE_HOME="$HOME/.heroku/node"
export NODE_ENV="${NODE_ENV:-production}"
# News of npm's own releases would push what matters out of the last lines of a crash.
export NPM_CONFIG_UPDATE_NOTIFIER="${NPM_CONFIG_UPDATE_NOTIFIER-false}"
