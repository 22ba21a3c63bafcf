// Times as a reader reads them.

/** A time of day for a reader; with the day where that is not today. */
export function timeOf(at, locale) {
  const date = new Date(at);
  const today = date.toDateString() === new Date().toDateString();
  return date.toLocaleString(locale, { hour: '2-digit', minute: '2-digit', ...(!today && { weekday: 'short' }) });
}
