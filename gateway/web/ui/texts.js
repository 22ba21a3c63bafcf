// What the chat says in its own words, in English, Spanish and German.

import { localeOf } from '../locale.js';

const CHAT = {
  en: {
    you: 'You', assistant: 'Assistant', agent: 'agent', thread: 'Conversation', write: 'Write a message', placeholder: 'Write a message…',
    send: 'Send', stop: 'Stop the reply', stopped: 'Stopped', cut: 'Cut off', length: 'Ended at the length limit',
    filtered: 'Withheld by the model’s provider', failed: 'Sorry, that could not be answered.', failedLater: 'Sorry, that cannot be answered right now. Please ask again in a few minutes.', failedUntil: 'Sorry, that cannot be answered before {time}.', askAgain: 'Try again', askPerson: 'Talk to a person', wantsPerson: 'I would like to talk to a person.', thinking: '{name} is thinking',
    typing: '{name} is typing', someone: 'Someone', sources: 'Sources', unnamed: 'Passages it was given: {n}', uncited: 'Also given, not cited: {n}', source: 'Source {n}', passage: 'What it says: {title}', ownAnswer: 'Our own answer', untitledSource: 'Document', newer: 'New messages', earlier: 'Show earlier messages',
    sending: 'Sending…', waiting: 'Waiting for the connection', unsent: 'Not sent.', unsentUnknown: 'You were signed out.', unsentClosed: 'The chat was closed.', held: 'Not taken yet. It is sent again at {time}.', again: 'Try again', discard: 'Discard',
    takenOver: '{name} has joined the conversation', handedBack: '{name} has left; the assistant answers again',
    closed: 'The conversation has ended', reopened: 'The conversation goes on', tooLong: 'This message is too long.',
    connecting: 'Connecting…', lost: 'The connection is gone. Trying again…', silent: 'The connection does not answer. Trying again…',
    unreached: 'There is no connection yet. Trying again…', offline: 'You are offline. What you write is sent when you are back.', later: 'Too much is going on right now. What you write is kept and sent soon.', nextTry: 'Next try {when}', back: 'Connected again', cutOff: 'The chat is not connected.', unknown: 'You have been signed out of this chat.', connectAgain: 'Connect again', retryNow: 'Try now', elsewhere: 'The chat is open in other tabs. It goes on here when you write.', goOn: 'Go on here', comesAt: 'The chat is here again at {time}.',
    ended: 'The chat is not available here.', gone: 'This conversation is no longer available.', startNew: 'New conversation', history: 'Your conversations',
    noHistory: 'Nothing yet. What you ask appears here.', close: 'Close', open: 'Open the chat', unread: '{n} unread', caution: '{name} is an AI assistant and can be wrong.',
    untitled: 'Conversation', skip: 'To the message field', code: 'Code', table: 'Table', more: 'Show more',
  },
  es: {
    you: 'Usted', assistant: 'Asistente', agent: 'agente', thread: 'Conversación', write: 'Escriba un mensaje', placeholder: 'Escriba un mensaje…',
    send: 'Enviar', stop: 'Detener la respuesta', stopped: 'Detenida', cut: 'Interrumpida', length: 'Terminó en el límite de longitud',
    filtered: 'Retenida por el proveedor del modelo', failed: 'Lo sentimos, no se pudo responder.', failedLater: 'Lo sentimos, ahora no se puede responder. Pregunte de nuevo en unos minutos.', failedUntil: 'Lo sentimos, no se puede responder antes de las {time}.', askAgain: 'Intentar de nuevo', askPerson: 'Hablar con una persona', wantsPerson: 'Quiero hablar con una persona.', thinking: '{name} está pensando',
    typing: '{name} está escribiendo', someone: 'Alguien', sources: 'Fuentes', unnamed: 'Pasajes que recibió: {n}', uncited: 'También recibidos, sin citar: {n}', source: 'Fuente {n}', passage: 'Lo que dice: {title}', ownAnswer: 'Nuestra propia respuesta', untitledSource: 'Documento', newer: 'Mensajes nuevos', earlier: 'Mostrar mensajes anteriores',
    sending: 'Enviando…', waiting: 'Esperando la conexión', unsent: 'No enviado.', unsentUnknown: 'Su sesión se había cerrado.', unsentClosed: 'El chat se cerró.', held: 'Aún no aceptado. Se enviará de nuevo a las {time}.', again: 'Reintentar', discard: 'Descartar',
    takenOver: '{name} se ha unido a la conversación', handedBack: '{name} se ha ido; vuelve a responder el asistente',
    closed: 'La conversación ha terminado', reopened: 'La conversación continúa', tooLong: 'Este mensaje es demasiado largo.',
    connecting: 'Conectando…', lost: 'Se perdió la conexión. Reintentando…', silent: 'La conexión no responde. Reintentando…',
    unreached: 'Todavía no hay conexión. Reintentando…', offline: 'No tiene conexión a Internet. Lo que escriba se enviará cuando vuelva.', later: 'Hay demasiada actividad ahora. Lo que escriba se guarda y se envía pronto.', nextTry: 'Próximo intento {when}', back: 'Conectado de nuevo', cutOff: 'El chat no está conectado.', unknown: 'Se ha cerrado su sesión en este chat.', connectAgain: 'Conectar de nuevo', retryNow: 'Reintentar ya', elsewhere: 'El chat está abierto en otras pestañas. Sigue aquí cuando escriba.', goOn: 'Seguir aquí', comesAt: 'El chat vuelve a estar aquí a las {time}.',
    ended: 'El chat no está disponible aquí.', gone: 'Esta conversación ya no está disponible.', startNew: 'Nueva conversación', history: 'Sus conversaciones',
    noHistory: 'Todavía nada. Lo que pregunte aparecerá aquí.', close: 'Cerrar', open: 'Abrir el chat', unread: '{n} sin leer', caution: '{name} es un asistente de IA y puede equivocarse.',
    untitled: 'Conversación', skip: 'Al campo de mensaje', code: 'Código', table: 'Tabla', more: 'Mostrar más',
  },
  de: {
    you: 'Sie', assistant: 'Assistent', agent: 'Mitarbeiter', thread: 'Gespräch', write: 'Nachricht schreiben', placeholder: 'Nachricht schreiben…',
    send: 'Senden', stop: 'Antwort anhalten', stopped: 'Angehalten', cut: 'Abgebrochen', length: 'Endete an der Längengrenze',
    filtered: 'Vom Anbieter des Modells zurückgehalten', failed: 'Darauf konnte leider keine Antwort gegeben werden.', failedLater: 'Gerade kann leider keine Antwort gegeben werden. Bitte fragen Sie in einigen Minuten noch einmal.', failedUntil: 'Vor {time} kann darauf leider keine Antwort gegeben werden.', askAgain: 'Noch einmal versuchen', askPerson: 'Mit einem Menschen sprechen', wantsPerson: 'Ich möchte mit einem Menschen sprechen.', thinking: '{name} denkt nach',
    typing: '{name} schreibt', someone: 'Jemand', sources: 'Quellen', unnamed: 'Stellen, die vorlagen: {n}', uncited: 'Lagen auch vor, nicht genannt: {n}', source: 'Quelle {n}', passage: 'Was dort steht: {title}', ownAnswer: 'Unsere eigene Antwort', untitledSource: 'Dokument', newer: 'Neue Nachrichten', earlier: 'Frühere Nachrichten zeigen',
    sending: 'Wird gesendet…', waiting: 'Wartet auf die Verbindung', unsent: 'Nicht gesendet.', unsentUnknown: 'Sie waren abgemeldet.', unsentClosed: 'Der Chat wurde geschlossen.', held: 'Noch nicht angenommen. Wird um {time} noch einmal gesendet.', again: 'Noch einmal', discard: 'Verwerfen',
    takenOver: '{name} ist dem Gespräch beigetreten', handedBack: '{name} ist gegangen; der Assistent antwortet wieder',
    closed: 'Das Gespräch ist beendet', reopened: 'Das Gespräch geht weiter', tooLong: 'Diese Nachricht ist zu lang.',
    connecting: 'Verbindet…', lost: 'Die Verbindung ist weg. Neuer Versuch…', silent: 'Die Verbindung antwortet nicht. Neuer Versuch…',
    unreached: 'Es gibt noch keine Verbindung. Neuer Versuch…', offline: 'Sie sind offline. Was Sie schreiben, wird gesendet, sobald Sie wieder online sind.', later: 'Gerade ist zu viel los. Was Sie schreiben, bleibt erhalten und wird bald gesendet.', nextTry: 'Nächster Versuch {when}', back: 'Wieder verbunden', cutOff: 'Der Chat ist nicht verbunden.', unknown: 'Sie sind in diesem Chat abgemeldet worden.', connectAgain: 'Neu verbinden', retryNow: 'Jetzt versuchen', elsewhere: 'Der Chat ist in anderen Tabs geöffnet. Er geht hier weiter, wenn Sie schreiben.', goOn: 'Hier weiter', comesAt: 'Der Chat ist um {time} wieder hier.',
    ended: 'Der Chat ist hier nicht verfügbar.', gone: 'Dieses Gespräch ist nicht mehr verfügbar.', startNew: 'Neues Gespräch', history: 'Ihre Gespräche',
    noHistory: 'Noch nichts. Was Sie fragen, steht dann hier.', close: 'Schließen', open: 'Chat öffnen', unread: '{n} ungelesen', caution: '{name} ist ein KI-Assistent und kann sich irren.',
    untitled: 'Gespräch', skip: 'Zum Nachrichtenfeld', code: 'Code', table: 'Tabelle', more: 'Mehr zeigen',
  },
};

const RIGHT_TO_LEFT = new Set(['ar', 'dv', 'fa', 'he', 'ps', 'sd', 'ug', 'ur', 'yi']);

/**
 * The words for the first language there is a catalogue for. The function has `language`, for `lang`
 * and for dates. A catalogue of another page has the same shape.
 */
export function words(languages = navigator.languages, catalogue = CHAT) {
  // Pages say `en_US` or worse of themselves, and what is no tag breaks every date.
  const wished = [languages].flat().map((one) => localeOf(one)).filter(Boolean);
  const language = wished.map((tag) => tag.toLowerCase().split('-')[0]).find((tag) => catalogue[tag]) ?? 'en';
  const say = (key, values = {}) => (catalogue[language][key] ?? catalogue.en[key] ?? key)
    .replace(/\{(\w+)\}/g, (whole, name) => values[name] ?? whole);
  say.language = language;
  // A regional form the reader asked for decides how dates look.
  say.locale = wished.find((tag) => tag.toLowerCase().startsWith(language)) ?? language;
  return say;
}

/** Where lines of this language begin: `ltr` or `rtl`. */
export function direction(language) {
  return RIGHT_TO_LEFT.has((language ?? '').toLowerCase().split('-')[0]) ? 'rtl' : 'ltr';
}
