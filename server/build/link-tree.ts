/** The symbolic links of a layer by their places, so that one walk down a name tells whether it leads through any of them. */

interface Place {
  isLink: boolean
  below?: Map<string, Place>
}

export class LinkTree {
  readonly #root: Place = { isLink: false }
  readonly #onPlace: () => void
  #links = 0

  /** `onPlace` is called for each place before it is remembered, and may throw. */
  constructor(onPlace: () => void) {
    this.#onPlace = onPlace
  }

  add(name: string): void {
    let place = this.#root
    for (const part of name.split('/')) {
      place.below ??= new Map()
      let next = place.below.get(part)
      if (next === undefined) {
        this.#onPlace()
        next = { isLink: false }
        place.below.set(part, next)
      }
      place = next
    }
    if (!place.isLink) this.#links++
    place.isLink = true
  }

  delete(name: string): void {
    const place = this.#links === 0 ? undefined : this.#find(name.split('/'))
    if (!place?.isLink) return
    this.#links--
    place.isLink = false
  }

  has(name: string): boolean {
    return this.#links > 0 && this.#find(name.split('/'))?.isLink === true
  }

  /** Whether a folder that the name goes through is a link; the last part of the name is none. */
  isAbove(name: string): boolean {
    if (this.#links === 0) return false
    let place: Place | undefined = this.#root
    for (const part of name.split('/')) {
      if (place === undefined) return false
      if (place.isLink) return true
      place = place.below?.get(part)
    }
    return false
  }

  #find(parts: readonly string[]): Place | undefined {
    let place: Place | undefined = this.#root
    for (const part of parts) place = place?.below?.get(part)
    return place
  }
}
