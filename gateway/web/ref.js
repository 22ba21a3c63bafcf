// The names under which messages and requests are sent, each once.

/** The protocol has no word for "asked once more": the name of such a message tells of which one. */
const AGAIN = /^again\.(\d{1,15})\./;

/** A new `ref`; with `again`, that of a message which says once more what stands there as that `seq`. */
export function newRef(again) {
  // `crypto.randomUUID` is missing on pages without TLS; this is not.
  const name = Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, '0')).join('');
  return again ? `again.${again}.${name}` : name;
}

/** The `seq` of the message that is said once more under this `ref`. */
export function repeatedBy(ref) {
  const seq = AGAIN.exec(ref ?? '')?.[1];
  return seq && Number(seq);
}
