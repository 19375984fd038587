/** Exit codes: 0 is success, and an attached `run` ends with the code of its command instead. */
export const exitCodes = { failed: 1, usage: 2, interrupted: 130 } as const

/** A refusal shown to the user as it is, without a stack; the exit code is 1 unless named. */
export class CliError extends Error {
  readonly exitCode: number

  constructor(message: string, exitCode: number = exitCodes.failed) {
    super(message)
    this.exitCode = exitCode
  }
}

/** The command line itself is wrong: exit code 2. */
export class UsageError extends CliError {
  constructor(message: string) {
    super(message, exitCodes.usage)
  }
}

/** The API refused; the message is the API's own, to be printed unchanged. */
export class ApiError extends CliError {
  readonly status: number
  readonly id: string

  constructor(status: number, id: string, message: string) {
    super(message)
    this.status = status
    this.id = id
  }
}
