/** A module of its own so that the spinner is loaded only when something takes long. */
import yoctoSpinner from 'yocto-spinner'

/** Turns beside the text on stderr until the returned function is called, which leaves no trace of it. */
export function createSpinner(text: string): () => void {
  const spinner = yoctoSpinner({ text, stream: process.stderr }).start()
  return () => {
    spinner.stop()
  }
}
