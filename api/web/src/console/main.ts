import { mount } from 'svelte';
import '../app.css';
import { theme } from '../lib/theme.svelte';
import { speech } from '../messages/index.svelte';
import Console from './Console.svelte';
import { link } from './link.svelte';

speech.begin();
theme.begin();
theme.enter(true);
void link.begin();

mount(Console, { target: document.getElementById('app')! });
