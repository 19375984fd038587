/** One piece of work at a time, in the order of asking. */
export type InTurn = <T>(work: () => Promise<T>) => Promise<T>

export function createTurns(): InTurn {
  let last: Promise<unknown> = Promise.resolve()
  return (work) => {
    const turn = last.then(work)
    last = turn.catch(() => {})
    return turn
  }
}

/** Calls that wait for a turn at the same time share it: the work is done once, with the newest of their arguments. */
export function shareTurn<A, R>(
  inTurn: InTurn,
  work: (argument: A) => Promise<R>,
  isNewer: (argument: A, than: A) => boolean,
): (argument: A) => Promise<R> {
  let waiting: { newest: A; result: Promise<R> } | undefined
  return (argument) => {
    if (waiting !== undefined && isNewer(argument, waiting.newest)) {
      waiting.newest = argument
      return waiting.result
    }
    const mine: { newest: A; result: Promise<R> } = {
      newest: argument,
      result: inTurn(() => {
        if (waiting === mine) waiting = undefined
        return work(mine.newest)
      }),
    }
    waiting = mine
    return mine.result
  }
}
