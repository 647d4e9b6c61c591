import { mount } from 'svelte';
import './app.css';
import App from './App.svelte';
import { router } from './lib/router.svelte';
import { session } from './lib/session.svelte';
import { theme } from './lib/theme.svelte';
import { speech } from './messages/index.svelte';

speech.begin();
theme.begin();
router.begin();
void session.begin();

mount(App, { target: document.getElementById('app')! });
