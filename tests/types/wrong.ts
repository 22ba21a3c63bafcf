// Mistakes that the types must find: one on each line that says so, and none elsewhere.

import { Refusal, Tertulia, type Entry, type State } from 'tertulia';

const client = new Tertulia({ url: 'https://chat.example' }); // wrong: no token
const other = new Tertulia({ token: async () => 7 }); // wrong: a token is a text
const state: State = 'offline'; // wrong: there is no such state
client.state = 'open'; // wrong: it is the client's to say
const conversation = client.join(7); // wrong: an id is a text
conversation.say({ text: 'hello' }); // wrong: words alone
conversation.say('hello', { agents: 'Bo' }); // wrong: mistyped option
conversation.addEventListener('joined', (event) => event.detail.opened.length); // wrong: it is true or false
conversation.addEventListener('caughtup', (event) => event.detail.head); // wrong: it carries nothing
conversation.addEventListener('joind', (event) => event.detail); // wrong: mistyped event
client.addEventListener('state', (event) => event.detail.retry_at); // wrong: it is `retryAt`
conversation.takeOver('Zoe'); // wrong: the name stands in the options
const entry: Entry | null = conversation.running;
console.log(entry.text); // wrong: there may be none
console.log(conversation.entries[0]?.sources[0]); // wrong: nor sources
conversation.entries.at(0)?.author === 'assistent'; // wrong: mistyped author
new Refusal('busy'); // wrong: it is made of an error's face
const seq: string = (await conversation.retry('r1')).seq; // wrong: a number
console.log(other, state, seq);
