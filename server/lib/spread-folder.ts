/**
 * Asks ext4 to place each folder made in this one by itself instead of beside the others.
 *
 * ext4 doesn't give an inode again for minutes after it was freed, and looks anew at every one it skips: in a place where
 * thousands of files were removed a moment ago, making thousands costs the square of their number. Copying an environment of
 * 7,800 files took 0.4 s in a fresh place and 6 s where builds had been cleared away. Other file systems refuse the flag,
 * and need none.
 */
import { execFile } from 'node:child_process'

export function spreadFolder(folder: string): Promise<void> {
  return new Promise((resolve) => execFile('chattr', ['+T', folder], () => resolve()))
}
