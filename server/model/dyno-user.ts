/**
 * The user, and group, of dynos and builds: nobody else's on the machine. Who logs in as the machine's first user, 1000 on most
 * systems, could otherwise read the environments of dynos, and an app would share that user's limits.
 */
export const dynoUid = 59_419

/** As the engine wants it. */
export const userOf = (uid: number): string => `${uid}:${uid}`
