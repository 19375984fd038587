# Sourced by every dyno of a Python app before its command.
export PATH="$HOME/.heroku/python/bin:$PATH"
export PYTHONUNBUFFERED=true
export VIRTUAL_ENV="$HOME/.heroku/python"
export LANG="${LANG:-en_US.UTF-8}"
export PYTHONHASHSEED="${PYTHONHASHSEED:-random}"
export PYTHONPATH="${PYTHONPATH-$HOME}"
# The router is the only one who can reach a dyno, and it sets X-Forwarded-*.
export FORWARDED_ALLOW_IPS="${FORWARDED_ALLOW_IPS-*}"
export GUNICORN_CMD_ARGS="${GUNICORN_CMD_ARGS-"--access-logfile -"}"
