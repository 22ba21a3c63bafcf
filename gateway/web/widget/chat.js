// What the widget loads once its page is idle: the client, the panel and how they look.

import { Tertulia } from '../tertulia.js';
import { Panel } from '../ui/panel.js';
import chat from '../ui/chat.css' with { type: 'text' };
import reply from '../ui/reply.css' with { type: 'text' };

const styles = [chat, reply];

export { Panel, Tertulia, styles };
