/** Which host names mean this very machine, whatever a resolver says about them. */

/** `localhost` and every name under it. */
export function isLoopbackName(hostname: string): boolean {
  return hostname === 'localhost' || hostname.endsWith('.localhost')
}

/** A loopback name or address; IPv6 in brackets, as in a URL. */
export function isLoopbackHost(hostname: string): boolean {
  return isLoopbackName(hostname) || hostname === '[::1]' || /^127(?:\.\d{1,3}){3}$/.test(hostname)
}
