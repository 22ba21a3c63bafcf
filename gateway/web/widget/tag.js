// The tag that brings the chat to a page, and what it asks for.

/** `{ node, tenant, scheme }` of the tag that is run; null where there is none. The tenant may be null. */
export function asked() {
  // A library that swaps pages may run the script without its tag: then the tag on the page is meant.
  const tag = document.currentScript?.src ? document.currentScript
    : [...document.querySelectorAll('script[src]')].findLast(({ src }) => new URL(src).pathname.endsWith('/widget.js'));
  if (!tag) return null;
  const { origin: node, searchParams } = new URL(tag.src);
  // A tag manager may drop attributes; an address it leaves alone.
  const tenant = tag.dataset.tenant || searchParams.get('tenant') || (location.origin === node ? 'demo' : null);
  return { node, tenant, scheme: tag.dataset.scheme || searchParams.get('scheme') };
}
