// The debugger's page: the same module as a Jupyter widget and in a standalone file.
//
// A source answers requests (hello, step, seek, rows, ...) with dictionaries. In a notebook it asks
// the kernel; in a file it answers from what is embedded, and refuses what would change the run.
// All text from a run goes through textContent or attributes that cannot run anything.

const SVG_NS = "http://www.w3.org/2000/svg";
const LANE_LABEL = 34;
const MOST_ARROWS = 1500;
const MOST_CHUNKS = 24;
const FAR_MS = 1e7; // what is due later than this comes by hand only
const SMALLEST = [-135, -130, 135, 130]; // of the picture of the nodes
const SPEEDS = [1, 5, 10, 20, 50, 100, 200, 500, 1000, 5000];

// After Okabe and Ito (2008) and Tol: told apart by colour-blind people, on paper and on black.
const THEMES = {
    light: { ink: "#111111", paper: "#ffffff", grey: "#6b6b6b", light: "#d8d8d8", alarm: "#c04a00",
        now: "#0072b2", vote: "#4d4d4d", kinds: null, routine: null },
    dark: { ink: "#f2f2f2", paper: "#15181c", grey: "#a9afb6", light: "#3c424a", alarm: "#ff9a57",
        now: "#63b8f2", vote: "#c9c9c9", routine: "#8f969e",
        kinds: ["#f08cc4", "#7fd48f", "#e0b45c", "#b3a8ff", "#ff8f73", "#6cd3e3", "#d3d36c"] },
};

// --- elements -------------------------------------------------------------------------------------

function put(element, attributes, children) {
    for (const [name, value] of Object.entries(attributes || {})) {
        if (value === null || value === undefined || value === false) continue;
        if (name === "text") element.textContent = value;
        else if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
        else element.setAttribute(name, value === true ? "" : String(value));
    }
    for (const child of children) if (child !== null && child !== undefined) element.append(child);
    return element;
}
const make = (tag, attributes, ...children) => put(document.createElement(tag), attributes, children);
const draw = (tag, attributes, ...children) =>
    put(document.createElementNS(SVG_NS, tag), attributes, children);

function clear(element, ...children) {
    element.replaceChildren(...children.filter((child) => child));
}

const ms = (value) => (value === null || value === undefined ? "?" : `${value.toFixed(3)} ms`);
// For people: milliseconds while they are few, seconds beyond.
const brief = (value) => (value < 999.95 ? `${value.toFixed(1)} ms` : `${(value / 1000).toFixed(2)} s`);
const clip = (value, low, high) => Math.min(Math.max(value, low), high);

function words(value) {
    if (value === null || value === undefined) return "–";
    if (Array.isArray(value)) return value.length ? `[${value.map(words).join(", ")}]` : "[]";
    if (typeof value === "object") {
        return Object.entries(value).map(([k, v]) => `${k} ${words(v)}`).join(", ") || "{}";
    }
    return String(value);
}

// Position of the first item for which `after` holds, in a sorted list.
function bisect(size, after) {
    let low = 0, high = size;
    while (low < high) {
        const middle = (low + high) >> 1;
        if (after(middle)) high = middle;
        else low = middle + 1;
    }
    return low;
}

function download(name, text, type) {
    const address = URL.createObjectURL(new Blob([text], { type }));
    const link = make("a", { href: address, download: name });
    document.body.append(link);
    link.click();
    link.remove();
    setTimeout(() => URL.revokeObjectURL(address), 1000);
}

// --- sources --------------------------------------------------------------------------------------

class KernelSource {
    constructor(model) {
        this.model = model;
        this.readOnly = false;
        this.waiting = new Map();
        this.name = Math.random().toString(36).slice(2);
        this.count = 0;
        this.onNews = () => {};
        this.listener = (reply) => {
            const done = this.waiting.get(reply.id);
            this.waiting.delete(reply.id);
            if (done) done(reply);
            else this.onNews(reply);
        };
        model.on("msg:custom", this.listener);
    }
    ask(request) {
        const id = `${this.name}-${this.count++}`;
        return new Promise((done) => {
            this.waiting.set(id, done);
            this.model.send({ ...request, id });
        });
    }
    close() {
        this.model.off("msg:custom", this.listener);
    }
}

function patched(before, change) {
    const after = { ...before, ...(change["="] || {}) };
    for (const key of change["-"] || []) delete after[key];
    for (const [key, inner] of Object.entries(change["~"] || {})) {
        after[key] = patched(before[key], inner);
    }
    return after;
}

class FileSource {
    // Lines: about the run; one for each row; one for each event; the trace file.
    constructor(text, page) {
        this.readOnly = true;
        this.page = page;
        this.lines = text.split("\n");
        this.head = JSON.parse(this.lines[0]);
        this.rows = this.head.timeline.rows;
        this.event = 0;
        this.cache = new Map();
        this.bookmarks = this.head.bookmarks;
        this.onNews = () => {};
        this.recall();
    }
    // Bookmarks and the moment shown stand in the page's address: they survive a reload, and a link
    // to the page takes them along.
    remember() {
        const marks = this.bookmarks.map(({ event, label }) => `${event}:${encodeURIComponent(label)}`);
        const address = `#event=${this.event}&bookmarks=${marks.join(",")}`;
        clearTimeout(this.remembering); // browsers allow few changes a second
        this.remembering = setTimeout(() => {
            try {
                history.replaceState(null, "", address);
            } catch {
                // shown inside another page, which has the address
            }
        }, 300);
    }
    recall() {
        const said = new Map(location.hash.slice(1).split("&").map((part) => part.split("=", 2)));
        const event = (text) => (/^\d+$/.test(text) ? clip(Number(text), 0, this.head.events) : null);
        this.event = event(said.get("event")) ?? 0;
        if (!said.has("bookmarks")) return;
        this.bookmarks = said.get("bookmarks").split(",").slice(0, 500).flatMap((mark) => {
            const [at, label] = mark.split(":", 2);
            if (event(at) === null) return [];
            try {
                return [{ branch: 0, event: event(at), label: decodeURIComponent(label ?? "").slice(0, 200) || `event ${at}` }];
            } catch {
                return []; // not something that this page wrote
            }
        });
    }
    snapshot(event) {
        const kept = this.cache.get(event);
        if (kept) return kept;
        let from = event - (event % this.head.key);
        for (let near = event - 1; near > from; near--) {
            if (this.cache.has(near)) {
                from = near;
                break;
            }
        }
        let state = this.cache.get(from) || JSON.parse(this.lines[1 + this.rows + from]);
        for (let next = from + 1; next <= event; next++) {
            state = patched(state, JSON.parse(this.lines[1 + this.rows + next]));
        }
        if (this.cache.size > 400) this.cache.clear();
        this.cache.set(event, state);
        return state;
    }
    row(index) {
        return JSON.parse(this.lines[1 + index]);
    }
    state(extra) {
        this.remember();
        return {
            branch: 0, branches: [{ name: "the run", parent: null, parted: 0, last: this.head.events }],
            version: [0, 0], last: this.head.events, snapshot: this.snapshot(this.event),
            before: this.event > 0 ? this.snapshot(this.event - 1) : null,
            bookmarks: this.bookmarks, timeline: this.head.timeline, ...extra,
        };
    }
    async ask(request) {
        const last = this.head.events;
        switch (request.do) {
            case "hello":
                return this.state({ about: this.head.about });
            case "state":
                return this.state();
            case "step":
                this.event = Math.min(this.event + 1, last);
                return this.state();
            case "seek":
                this.event = clip(request.event, 0, last);
                return this.state();
            case "advance":
                this.event = Math.max(this.event, this.eventAt(request.to_ms));
                return this.state({ idle: this.event >= last });
            case "rows": {
                const found = [];
                for (let i = request.first; i < Math.min(request.last, this.rows); i++) {
                    found.push(this.row(i));
                }
                return { version: [0, 0], first: request.first, rows: found };
            }
            case "bookmark":
                if (request.remove !== undefined) this.bookmarks.splice(request.remove, 1);
                else {
                    const label = request.label || `event ${this.event}`;
                    this.bookmarks.push({ branch: 0, event: this.event, label });
                }
                this.remember();
                return this.state();
            case "export": {
                const about = this.head.about, name = `${about.protocol}-seed-${about.seed}`;
                if (request.what === "html") {
                    return { name: `${name}.html`, text: this.page, type: "text/html" };
                }
                const text = this.lines.slice(2 + this.rows + last).join("\n") + "\n";
                return { name: `${name}.jsonl`, text, type: "text/plain" };
            }
            default:
                return { error: "this page replays a recorded run; nothing can be done to it" };
        }
    }
    eventAt(time) {
        const ns = time * 1e6;
        const rows = bisect(this.rows, (i) => this.row(i).time_ns > ns);
        return rows ? this.row(rows - 1).step : 0;
    }
    close() {}
}

// --- services -------------------------------------------------------------------------------------

const MOST_HELD = 120;
const saidBy = ({ name, owner, notes }) => JSON.stringify([name, owner, notes]);

// What a service holds, as parts with rows: {key, name, depth, owner, notes, left, share}. It goes by
// the fields that are there, so that a service of one's own with such fields is shown as well.
function holdings(node, now) {
    const disk = node.disk || {}, memory = node.memory || {};
    const parts = [];
    if (disk.service?.znodes) parts.push(...znodesAndSessions(disk.service, memory.desk));
    if (disk.store?.keys) parts.push(...keysAndLeases(disk.store, memory.service, now));
    if (disk.record?.holder !== undefined && disk.exists !== undefined) parts.push(leaseRecord(disk, now));
    if (disk.token !== undefined && disk.holder !== undefined) parts.push(grantedLease(disk, memory, now));
    return parts.map((part) => ({ ...part, rows: part.rows.slice(0, MOST_HELD) }));
}

function znodesAndSessions({ znodes, sessions }, desk) {
    const clients = new Map(sessions.map(({ id, client }) => [id, client]));
    const watchers = new Map(), links = new Map();
    for (const link of desk?.connections || []) {
        links.set(link.session, link);
        for (const { path } of link.watches || []) {
            watchers.set(path, [...(watchers.get(path) || []), clients.get(link.session) ?? `session ${link.session}`]);
        }
    }
    const most = Math.max(...[...links.values()].map((link) => link.ticks_left), 1);
    return [{ title: "znodes", rows: znodes.map(({ path, data, owner, version }) => ({
        key: `znode ${path}`, depth: path === "/" ? 0 : path.split("/").length - 1,
        name: path === "/" ? "/" : `/${path.split("/").pop()}`, owner: owner ? clients.get(owner) : 0,
        notes: [data !== "" && data !== null ? `= ${words(data)}` : "", version ? `version ${version}` : "",
            owner ? `ephemeral, session ${owner}` : "",
            watchers.has(path) ? `watched by ${watchers.get(path).sort().join(", ")}` : ""].filter(Boolean),
    })) }, { title: "sessions", rows: sessions.map(({ id, client }) => {
        const ticks = links.get(id)?.ticks_left;
        return { key: `session ${id}`, name: `session ${id}`, owner: client, notes: [],
            ...(ticks === undefined ? { notes: ["no connection"] }
                : { left: `${ticks} tick${ticks === 1 ? "" : "s"} left`, share: ticks / most }) };
    }) }];
}

function keysAndLeases({ keys, leases }, service, now) {
    const due = new Map((service?.expiries || []).map(({ id, at }) => [id, at]));
    const watchers = new Map();
    for (const { key, client } of service?.watches || []) {
        watchers.set(key, new Set([...(watchers.get(key) || []), client]));
    }
    const first = Math.min(...keys.map((kv) => kv.create_revision));
    return [{ title: "keys", rows: keys.map(({ key, value, lease, create_revision: made }) => ({
        key: `key ${key}`, name: key, notes: [`= ${words(value)}`, `revision ${made}${made === first ? ", the oldest: leads" : ""}`,
            lease ? `lease ${lease}` : "",
            watchers.has(key) ? `watched by ${[...watchers.get(key)].sort().join(", ")}` : ""].filter(Boolean),
    })) }, { title: "leases", rows: leases.map(({ id, ttl }) => ({ key: `lease ${id}`, name: `lease ${id}`, notes: [`of ${brief(ttl)}`],
        ...(due.has(id) ? { left: `${brief(Math.max(due.get(id) - now, 0))} left`, share: (due.get(id) - now) / ttl } : {}) })) }];
}

function leaseRecord({ exists, record, resource_version: version }, now) {
    const lasts = 1000 * record.lease_duration_seconds, left = record.renew_time + lasts - now;
    return { title: "Lease object", rows: exists ? [{ key: "Lease object", name: record.holder ? "held by" : "held by nobody",
        owner: record.holder, notes: [`resource version ${version}`, `transitions ${record.leader_transitions}`,
            `renewed at ${brief(record.renew_time)}`],
        left: left > 0 ? `${brief(left)} left of ${brief(lasts)}` : `over for ${brief(-left)}`, share: left / lasts }] : [] };
}

function grantedLease({ token, holder }, { until }, now) {
    const left = (until ?? now) - now, held = holder !== 0 && left > 0;
    return { title: "lease", rows: [{ key: "lease", name: held ? "held by" : "free", owner: held ? holder : 0,
        notes: [`token ${token}`, !held && holder ? `last held by ${holder}` : ""].filter(Boolean),
        ...(held ? { left: `${brief(left)} left`, share: left / 150 } : {}) }] };
}

// --- the page -------------------------------------------------------------------------------------

class Page {
    constructor(root, source) {
        this.root = root;
        this.source = source;
        this.chunks = new Map();
        this.selected = null;
        this.playing = false;
        this.speed = 50;
        this.windowMs = 120;
        this.zoomed = false;
        this.shown = 0;
        this.busy = false;
        this.wanted = null;
        this.other = null;
        this.theme = "auto";
        this.closed = false;
        this.extent = [...SMALLEST];
        source.onNews = (reply) => this.hear(reply);
    }

    async start() {
        const reply = await this.source.ask({ do: "hello" });
        this.about = reply.about;
        this.looks = this.looksOfKinds();
        this.places = this.placesOfNodes();
        this.build();
        this.take(reply);
        this.watchSize = new ResizeObserver(() => {
            this.renderDiagram();
            this.renderLog();
        });
        this.watchSize.observe(this.diagram);
        this.themeQuery = matchMedia("(prefers-color-scheme: dark)");
        this.onTheme = () => this.applyTheme();
        this.themeQuery.addEventListener("change", this.onTheme);
        this.watchTheme = new MutationObserver(this.onTheme);
        this.watchTheme.observe(document.body, { attributeFilter: ["data-jp-theme-light"] });
        this.applyTheme();
    }

    close() {
        this.closed = true;
        this.playing = false;
        this.source.close();
        this.watchSize?.disconnect();
        this.watchTheme?.disconnect();
        this.themeQuery?.removeEventListener("change", this.onTheme);
    }

    // --- asking -----------------------------------------------------------------------------------

    async ask(request) {
        const reply = await this.source.ask({ ...request, version: this.state?.version });
        if (!this.closed) this.take(reply);
        return reply;
    }

    hear(reply) {
        if (!this.state || !reply.snapshot) return;
        const same = String(reply.version) === String(this.state.version);
        if (same || reply.timeline) this.take(reply);
        else this.ask({ do: "state" });
    }

    take(reply) {
        if (reply.error) this.say(reply.error, true);
        else if (reply.note !== undefined) this.say(reply.note);
        if (!reply.snapshot) return;
        const before = this.state;
        if (!before || before.branch !== reply.branch) {
            this.chunks.clear();
            this.other = null;
        }
        this.state = { ...reply, timeline: reply.timeline || before.timeline };
        if (reply.timeline && reply.timeline !== before?.timeline) this.newTimeline(before?.timeline);
        this.shown = clip(this.shown, reply.snapshot.now, Infinity);
        if (!this.playing) this.shown = reply.snapshot.now;
        this.render();
    }

    newTimeline(old) {
        const line = this.state.timeline;
        const same = old && line.rows >= old.rows &&
            old.starts.every((start, i) => String(start) === String(line.starts[i]));
        if (!same) this.chunks.clear();
        this.views = Array.from({ length: this.about.actors + 1 }, () => []);
        const { event, ms: at, node, role, epoch } = line.views;
        for (let i = 0; i < event.length; i++) {
            this.views[node[i]].push({ event: event[i], ms: at[i], role: role[i], epoch: epoch[i] });
        }
        const leaders = line.marks.filter((mark) => mark[3] === "leader");
        const broken = line.marks.filter((mark) => mark[3] === "violation");
        this.jumps = { leader: leaders, violation: broken };
        this.fitWindow();
    }

    // Protocols live in milliseconds or in minutes: until it is set by hand, the diagram shows about
    // a hundred rows of the log. It follows only when it is far off, so that it seldom jumps.
    fitWindow() {
        const { starts, rows } = this.state.timeline, now = this.state.snapshot.now;
        const chunk = Math.max(starts.length - 2, 0);
        if (this.zoomed || rows < 20) return;
        const from = starts[chunk][1], to = Math.max(starts[starts.length - 1][1], now);
        const ideal = (100 * (to - from)) / (rows - chunk * this.about.chunk);
        if (!(ideal > 0) || (ideal < 4 * this.windowMs && ideal > this.windowMs / 4)) return;
        const power = 10 ** Math.floor(Math.log10(ideal));
        this.windowMs = clip([5, 2, 1].find((k) => k * power <= ideal) * power, 20, 1e6);
    }

    say(text, bad) {
        if (!this.status) return;
        this.status.textContent = text;
        this.status.classList.toggle("el-bad", Boolean(bad && text));
    }

    act(...actions) {
        this.closeMenu();
        if (this.state.snapshot.event < this.state.last) this.chunks.clear();
        this.say("");
        return this.ask({ do: "act", actions });
    }

    async step() {
        this.pause();
        this.say("");
        await this.ask({ do: "step" });
    }

    // Only the newest wish is kept while one is under way, so that a slider does not lag behind.
    async seek(event) {
        this.wanted = clip(event, 0, this.state.last);
        if (this.seeking) return;
        this.seeking = true;
        while (this.wanted !== null) {
            const next = this.wanted;
            this.wanted = null;
            this.shown = 0;
            await this.ask({ do: "seek", event: next });
        }
        this.seeking = false;
    }

    back() {
        this.pause();
        this.say("");
        return this.seek(this.state.snapshot.event - 1);
    }

    // --- playing ----------------------------------------------------------------------------------

    pause() {
        this.playing = false;
        this.renderBar();
    }

    play() {
        if (this.playing) return this.pause();
        this.playing = true;
        this.say("");
        this.renderBar();
        this.shown = this.state.snapshot.now;
        let last = performance.now();
        const tick = async (now) => {
            if (!this.playing || this.closed) return;
            const target = this.shown + (Math.min(now - last, 100) / 1000) * this.speed;
            last = now;
            if (!this.busy) {
                this.shown = target;
                const { snapshot } = this.state;
                const live = snapshot.event >= this.state.last;
                const next = live ? this.nextAt() : 0;
                if (target >= next) {
                    this.busy = true;
                    const reply = await this.source.ask(
                        { do: "advance", to_ms: target, version: this.state.version });
                    this.busy = false;
                    if (!this.playing || this.closed) return;
                    if (reply.error || reply.idle) this.pause();
                    if (reply.error || reply.snapshot.event !== snapshot.event) this.take(reply);
                }
                this.renderRing();
                this.renderDiagram();
                this.renderTime();
            }
            requestAnimationFrame(tick);
        };
        requestAnimationFrame(tick);
    }

    nextAt() {
        let next = Infinity;
        for (const p of Object.values(this.state.snapshot.pending)) {
            if (p.at !== null && p.at < next) next = p.at;
        }
        return next;
    }

    // --- building ---------------------------------------------------------------------------------

    button(label, title, action, attributes) {
        return make("button", { type: "button", title, "aria-label": title, text: label,
            onclick: action, ...attributes });
    }

    build() {
        const live = !this.source.readOnly;
        const b = (...args) => this.button(...args);
        this.bar = {
            start: b("|◀", "to the start (Home)", () => this.seek(0)),
            back: b("◀ back", "one event back (←)", () => this.back(), { "data-do": "back" }),
            play: b("▶ play", "play or pause (space)", () => this.play(), { "data-do": "play" }),
            step: b("step ▶", "one event on (→)", () => this.step(), { "data-do": "step" }),
            end: b("▶|", "to the end (End)", () => this.seek(this.state.last)),
        };
        const speed = make("select", { "aria-label": "speed",
            onchange: (e) => { this.speed = Number(e.target.value); } },
            ...SPEEDS.map((value) => make("option", { value, text: `${value} ms/s`,
                selected: value === this.speed })));
        this.slider = make("input", { type: "range", min: 0, max: 1, step: 1, value: 0,
            "aria-label": "event", class: "el-slider", oninput: (e) => {
                const event = Number(e.target.value); // a pause draws the slider where it was
                this.pause();
                this.seek(event);
            } });
        this.time = make("output", { class: "el-time" });
        const jump = (kind, way, label) => b(label, `${way < 0 ? "previous" : "next"} ` +
            (kind === "leader" ? "leader change" : "violation"), () => this.jump(kind, way),
            { "data-do": `${kind}${way}` });
        this.label = make("input", { type: "text", maxlength: 200, size: 12,
            placeholder: "bookmark's name", "aria-label": "bookmark's name" });
        this.bookmarks = make("span", { class: "el-bookmarks" });
        this.branches = make("select", { "aria-label": "branch", "data-do": "branch",
            onchange: (e) => this.ask({ do: "switch", branch: Number(e.target.value) }) });
        this.beside = make("select", { "aria-label": "compare with", "data-do": "compare",
            onchange: (e) => this.compare(e.target.value) });
        this.groups = make("input", { type: "text", size: 12, placeholder: "1 2 | 3 4 5",
            "aria-label": "groups to part, such as 1 2 | 3 4 5",
            onkeydown: (e) => { if (e.key === "Enter") this.partition(); } });
        this.themeButton = b("◐ auto", "light, dark, or as the page around", () => this.nextTheme());
        const bars = [
            make("div", { class: "el-bar" }, ...Object.values(this.bar), speed, this.slider, this.time),
            make("div", { class: "el-bar" },
                make("span", { text: "leader" }), jump("leader", -1, "‹"), jump("leader", 1, "›"),
                make("span", { text: "violation" }), jump("violation", -1, "‹"),
                jump("violation", 1, "›"),
                this.label, b("★", "bookmark this event (b)", () => this.bookmark()), this.bookmarks,
                make("span", { class: "el-gap" }),
                b("trace", "export the trace file", () => this.export("trace")),
                b("HTML", "export as a page", () => this.export("html")),
                b("SVG", "export the pictures", () => this.exportSvg()),
                b("A+", "larger, for a projector", () => this.enlarge()),
                this.themeButton),
        ];
        if (live) {
            bars.push(make("div", { class: "el-bar" },
                b("fork here", "a branch from this event (f)", () => this.ask({ do: "fork" }),
                    { "data-do": "fork" }),
                this.branches, make("span", { text: "beside" }), this.beside,
                make("span", { class: "el-gap" }), this.groups,
                b("✂ part", "partition the network", () => this.partition(), { "data-do": "part" }),
                b("heal", "mend every link", () => this.act({ action: "heal" }),
                    { "data-do": "heal" })));
        }
        this.status = make("div", { class: "el-status", role: "status", "aria-live": "polite" });
        this.title = make("div", { class: "el-title" });
        const label = (text) => ({ role: "group", "aria-label": text });
        this.ring = draw("svg", { class: "el-ring", viewBox: "-135 -130 270 260",
            ...label("nodes and messages") });
        this.ringB = draw("svg", { class: "el-ring", viewBox: "-135 -130 270 260",
            ...label("the other branch") });
        this.legend = make("div", { class: "el-legend" });
        this.service = make("div", { class: "el-service", tabindex: 0, hidden: true,
            ...label("what the service holds") });
        this.besidePane = make("div", { class: "el-pane el-beside", hidden: true });
        this.diagram = make("div", { class: "el-diagram", tabindex: 0,
            ...label("space-time diagram") });
        this.log = make("div", { class: "el-log", tabindex: 0, ...label("log of events"),
            onscroll: () => this.renderLog() });
        this.logSpace = make("div", { class: "el-log-space" });
        this.log.append(this.logSpace);
        this.inspector = make("div", { class: "el-inspector", tabindex: 0,
            ...label("state of a node") });
        this.next = make("div", { class: "el-next", tabindex: 0,
            ...label("what may happen next") });
        const zoom = (factor, text, title) => b(text, title, () => {
            this.zoom(factor);
        });
        this.nextTitle = make("h3", { text: "What may happen next" });
        this.inspectorTitle = make("h3", { text: "Node" });
        this.nodePicker = make("select", { "aria-label": "node", onchange: (e) => {
            this.selected = e.target.value === "" ? null : Number(e.target.value);
            this.renderInspector();
            this.renderRing();
        } }, make("option", { value: "", text: "of the last event" }),
            ...Array.from({ length: this.about.actors }, (_, i) => make("option",
                { value: i + 1, text: `node ${i + 1}` })));
        const panes = make("div", { class: "el-panes" },
            make("div", { class: "el-pane" }, this.title, this.ring, this.legend, this.service),
            this.besidePane,
            make("div", { class: "el-pane el-time-pane" },
                make("h3", { text: "Space and time" },
                    zoom(2, "−", "more time in the diagram"), zoom(0.5, "+", "less time in it")),
                this.diagram, make("h3", { text: "Log" }), this.log),
            make("div", { class: "el-side" },
                make("div", { class: "el-pane" },
                    make("div", { class: "el-head" }, this.inspectorTitle, this.nodePicker),
                    this.inspector),
                make("div", { class: "el-pane" }, this.nextTitle, this.next)));
        this.root.classList.add("el-debugger");
        // JupyterLab leaves keys alone below an element with this attribute.
        this.root.setAttribute("data-lm-suppress-shortcuts", "true");
        this.root.setAttribute("tabindex", "-1");
        clear(this.root, ...bars, this.status, panes);
        this.root.addEventListener("keydown", (e) => this.onKey(e));
        this.root.addEventListener("pointerdown", (e) => {
            if (this.menu && !this.menu.contains(e.target)) this.closeMenu();
        });
        this.listenToRing();
        this.diagram.addEventListener("wheel", (e) => {
            if (!e.ctrlKey) return;
            e.preventDefault();
            this.zoom(e.deltaY > 0 ? 1.25 : 0.8);
        }, { passive: false });
    }

    zoom(factor) {
        this.zoomed = true;
        this.windowMs = clip(this.windowMs * factor, 1, 1e7);
        this.renderDiagram();
    }

    onKey(event) {
        if (event.key === "Escape" && this.menu) {
            this.closeMenu();
            return event.stopPropagation();
        }
        const typing = ["INPUT", "SELECT", "TEXTAREA"].includes(event.target.tagName);
        if (typing || event.ctrlKey || event.metaKey || event.altKey || this.menu) return;
        if (event.key === " " && event.target.closest("button, [role=button]")) return;
        const keys = {
            ArrowRight: () => this.step(), ArrowLeft: () => this.back(), " ": () => this.play(),
            Home: () => this.seek(0), End: () => this.seek(this.state.last),
            b: () => this.bookmark(), n: () => this.jump("leader", 1),
            p: () => this.jump("leader", -1), v: () => this.jump("violation", 1),
        };
        if (!this.source.readOnly) {
            keys.f = () => this.ask({ do: "fork" });
            keys.h = () => this.act({ action: "heal" });
        }
        if (!keys[event.key]) return;
        event.preventDefault();
        event.stopPropagation();
        keys[event.key]();
    }

    // --- commands ---------------------------------------------------------------------------------

    async jump(kind, way) {
        this.pause();
        const here = this.state.snapshot.event;
        const events = this.jumps[kind].map((mark) => mark[0]);
        const found = way > 0 ? events.find((e) => e > here)
            : events.filter((e) => e < here).pop();
        const what = kind === "leader" ? "leader change" : "violation";
        this.say("");
        if (found !== undefined) return this.seek(found);
        if (way > 0 && !this.source.readOnly && !this.about.by_hand) {
            return this.ask({ do: "run_to", what: kind });
        }
        return this.say(`no ${what} ${way > 0 ? "after" : "before"} event ${here}`);
    }

    async bookmark() {
        await this.ask({ do: "bookmark", label: this.label.value });
        this.label.value = "";
    }

    async export(what) {
        const reply = await this.source.ask({ do: "export", what });
        if (reply.error) return this.say(reply.error, true);
        return download(reply.name, reply.text, reply.type);
    }

    // Both pictures in one file, one beside the other.
    exportSvg() {
        const theme = this.colours(), gap = 20, high = 480;
        const whole = draw("svg", { xmlns: SVG_NS, "font-family": "sans-serif" });
        let width = gap;
        for (const svg of [this.ring, this.spaceTime]) {
            const copy = svg.cloneNode(true);
            const [, , w, h] = svg.getAttribute("viewBox").split(" ").map(Number);
            const wide = svg === this.ring ? (w / h) * high : w;
            put(copy, { x: width, y: gap, width: wide, height: svg === this.ring ? high : h,
                "data-picture": svg === this.ring ? "nodes" : "space-time" }, []);
            whole.append(copy);
            width += wide + gap;
        }
        const size = { width: width.toFixed(0), height: high + 2 * gap };
        put(whole, { ...size, viewBox: `0 0 ${size.width} ${size.height}` }, []);
        whole.prepend(draw("rect", { ...size, fill: theme.paper }));
        const text = new XMLSerializer().serializeToString(whole);
        const { protocol, seed } = this.about, { event } = this.state.snapshot;
        download(`${protocol}-seed-${seed}-event-${event}.svg`, text, "image/svg+xml");
    }

    partition() {
        const groups = this.groups.value.split("|")
            .map((group) => group.split(/[\s,]+/).filter(Boolean).map(Number));
        if (groups.length < 2 || groups.flat().some((n) => !Number.isInteger(n))) {
            return this.say("name the nodes of each side, such as 1 2 | 3 4 5", true);
        }
        return this.act({ action: "partition", groups });
    }

    async compare(value) {
        if (value === "") {
            this.other = null;
            return this.render();
        }
        const reply = await this.source.ask({ do: "compare", branch: Number(value) });
        if (reply.error) return this.say(reply.error, true);
        this.other = reply;
        return this.render();
    }

    openMenu(anchor, title, items) {
        this.closeMenu();
        const box = anchor.getBoundingClientRect(), frame = this.root.getBoundingClientRect();
        this.menuAnchor = anchor;
        this.menu = make("div", { class: "el-menu", role: "menu", "aria-label": title },
            make("div", { class: "el-menu-title", text: title }),
            ...items.map(([label, action, disabled]) => label instanceof Element ? label
                : make("button", { type: "button", role: "menuitem", text: label, disabled,
                    onclick: () => {
                        this.closeMenu();
                        action();
                    } })));
        this.menu.addEventListener("keydown", (e) => {
            const entries = [...this.menu.querySelectorAll("button:not([disabled]), input")];
            const at = entries.indexOf(document.activeElement);
            const way = { ArrowDown: 1, ArrowUp: -1 }[e.key];
            if (!way) return;
            e.preventDefault();
            entries[(at + way + entries.length) % entries.length].focus();
        });
        this.root.append(this.menu);
        const left = clip(box.left - frame.left + box.width, 0, frame.width - 230);
        const top = clip(box.top - frame.top + box.height, 0,
            Math.max(frame.height - this.menu.offsetHeight - 8, 0));
        this.menu.style.left = `${left}px`;
        this.menu.style.top = `${top}px`;
        this.menu.querySelector("button:not([disabled])")?.focus();
    }

    closeMenu() {
        if (!this.menu) return;
        this.menu.remove();
        this.menu = null;
        if (this.menuAnchor?.isConnected) this.menuAnchor.focus?.({ preventScroll: true });
        this.keepFocus(true);
    }

    messageMenu(key, anchor) {
        const p = this.state.snapshot.pending[key];
        if (!p) return;
        const title = this.describe(p);
        if (this.source.readOnly) return this.openMenu(anchor, title, []);
        const message = p.message;
        const by = make("input", { type: "number", value: 10, min: 0, step: "any",
            "aria-label": "delay in ms" });
        const delay = make("div", { class: "el-menu-row" },
            make("button", { type: "button", role: "menuitem", text: "delay by", onclick: () =>
                this.act({ action: "delay", message, by_ms: Number(by.value) }) }),
            by, make("span", { text: "ms" }));
        this.openMenu(anchor, title, [
            ["deliver now", () => this.act({ action: "deliver", message })],
            ["drop", () => this.act({ action: "drop", message })],
            ["duplicate", () => this.act({ action: "duplicate", message })],
            [delay],
        ]);
    }

    fire(p) {
        const action = { action: "fire", node: p.node, timer: p.timer };
        if (p.peer) action.about = p.peer;
        return this.act(action);
    }

    nodeMenu(node, anchor) {
        this.selected = node;
        this.renderInspector();
        const { role } = this.state.snapshot.nodes[node];
        const title = `${this.nodeName(node)}: ${role}`;
        if (this.source.readOnly) return this.openMenu(anchor, title, []);
        const down = role === "down", paused = role === "paused";
        const timers = Object.values(this.state.snapshot.pending)
            .filter((p) => p.kind === "timer" && p.node === node);
        const others = Array.from({ length: this.about.actors }, (_, i) => i + 1)
            .filter((n) => n !== node);
        this.openMenu(anchor, title, [
            down ? ["restart", () => this.act({ action: "restart", node })]
                : ["crash", () => this.act({ action: "crash", node })],
            ...(down ? [["restart with an empty disk",
                () => this.act({ action: "restart", node, lose_disk: true })]] : []),
            paused ? ["resume", () => this.act({ action: "resume", node })]
                : ["pause", () => this.act({ action: "pause", node }), down],
            ...timers.map((p) => [`time out: ${p.timer}${p.peer ? ` about ${p.peer}` : ""}`,
                () => this.fire(p)]),
            ["cut off from all others",
                () => this.act({ action: "partition", groups: [[node], others] })],
            ...this.about.commands.map((command) => this.commandRow(node, command)),
        ]);
    }

    commandRow(node, command) {
        const inputs = command.fields.map((name) => make("input", { type: "text", size: 4,
            placeholder: name, "aria-label": name }));
        const read = (text) => (/^-?\d+(\.\d+)?$/.test(text) ? Number(text) : text);
        return [make("div", { class: "el-menu-row" },
            make("button", { type: "button", role: "menuitem", text: `ask: ${command.name}`,
                onclick: () => this.act({ action: "command", node, command: command.name,
                    fields: Object.fromEntries(command.fields.map(
                        (name, i) => [name, read(inputs[i].value)])) }) }), ...inputs)];
    }

    // The picture is drawn anew at any moment, also between the press of a button and its release:
    // so it is the picture that listens, and what was pressed is known by its key.
    listenToRing() {
        const ring = this.ring;
        const keyOf = (e) => e.target.closest("[role=button]")?.getAttribute("data-key") ?? null;
        const place = (e) => new DOMPoint(e.clientX, e.clientY)
            .matrixTransform(ring.getScreenCTM().inverse());
        let pressed = null, from = null, line = null;
        ring.addEventListener("pointerdown", (e) => {
            if (e.button !== 0) return;
            pressed = keyOf(e);
            if (pressed === null && this.source.readOnly) return;
            this.pause();
            from = place(e);
            ring.setPointerCapture(e.pointerId);
            if (pressed !== null) return;
            // A line drawn across links cuts those that it crosses.
            line = draw("line", { x1: from.x, y1: from.y, x2: from.x, y2: from.y,
                stroke: this.colours().alarm, "stroke-width": 2.5, "stroke-dasharray": "6 3",
                "data-drag": true });
            ring.append(line);
        });
        ring.addEventListener("pointermove", (e) => {
            if (!line) return;
            const to = place(e);
            line.setAttribute("x2", to.x);
            line.setAttribute("y2", to.y);
        });
        const end = (e) => {
            if (!from) return;
            const to = place(e), start = from, drawn = line;
            from = line = null;
            drawn?.remove();
            if (e.type !== "pointerup") return;
            if (drawn) this.cutAcross(start, to);
            else if (Math.hypot(to.x - start.x, to.y - start.y) < 8) this.activate(pressed);
        };
        ring.addEventListener("pointerup", end);
        ring.addEventListener("pointercancel", end);
        ring.addEventListener("click", (e) => {
            if (e.detail === 0 && keyOf(e) !== null) this.activate(keyOf(e)); // not by a pointer
        });
        ring.addEventListener("keydown", (e) => {
            if ((e.key !== "Enter" && e.key !== " ") || keyOf(e) === null) return;
            e.preventDefault();
            e.stopPropagation();
            this.activate(keyOf(e));
        });
    }

    activate(key) {
        const anchor = this.ring.querySelector(`[data-key="${CSS.escape(key)}"]`);
        if (!anchor) return undefined; // it has just happened
        const [, what, rest] = /^(\w+) (.*)$/.exec(key);
        if (what === "node") return this.nodeMenu(Number(rest), anchor);
        if (what === "message") return this.messageMenu(rest, anchor);
        const [from, to] = rest.split(" ").map(Number);
        const both = this.state.snapshot.cuts.includes(`${to} ${from}`);
        return this.act({ action: "mend", from: [from], to: [to], both_ways: both });
    }

    cutAcross(a, b) {
        if (Math.hypot(b.x - a.x, b.y - a.y) < 8) return;
        const side = (p, q, r) => (q.x - p.x) * (r.y - p.y) - (q.y - p.y) * (r.x - p.x);
        const crossed = [];
        const n = this.about.actors;
        for (let i = 1; i <= n; i++) {
            for (let j = i + 1; j <= n; j++) {
                const [p, q] = [this.places[i], this.places[j]];
                if (side(a, b, p) * side(a, b, q) < 0 && side(p, q, a) * side(p, q, b) < 0) {
                    crossed.push([i, j]);
                }
            }
        }
        if (!crossed.length) return this.say("the line crosses no link");
        const left = [], right = [];
        for (let i = 1; i <= n; i++) (side(a, b, this.places[i]) < 0 ? left : right).push(i);
        // A line right across parts the network in two; a shorter one cuts single links.
        if (crossed.length === left.length * right.length) {
            return this.act({ action: "partition", groups: [left, right] });
        }
        return this.act(...crossed.map(([from, to]) => ({ action: "cut", from: [from], to: [to], both_ways: true })));
    }

    // --- words ------------------------------------------------------------------------------------

    nodeName(node) {
        const kind = this.about.kinds[node - 1];
        return kind === "member" ? `node ${node}` : `${kind} (${node})`;
    }

    describe(p) {
        if (p.kind === "message") {
            const fields = p.fields && Object.keys(p.fields).length ? `(${words(p.fields)})` : "";
            return `${p.message_kind}${fields} from ${this.nodeName(p.peer)} to ${this.nodeName(p.node)}`;
        }
        if (p.kind === "timer") {
            return `${this.nodeName(p.node)}: timer ${p.timer}${p.peer ? ` about node ${p.peer}` : ""}`;
        }
        if (p.kind === "start") return `${this.nodeName(p.node)} starts`;
        if (p.kind === "action") return `action: ${words(p.fields)}`;
        return `${this.nodeName(p.node)}: ${p.message_kind || p.timer} waits`;
    }

    colours() {
        return THEMES[this.root.classList.contains("el-dark") ? "dark" : "light"];
    }

    // No two kinds have both the same colour and the same glyph: colours come round every seven
    // kinds, and each time round the glyphs are turned by one.
    looksOfKinds() {
        const looks = new Map(), seen = new Map();
        let place = 0, grey = 0;
        for (const { name, colour, routine } of this.about.messages) {
            const round = seen.get(colour) || 0;
            seen.set(colour, round + 1);
            looks.set(name, { colour, routine, place: routine ? 0 : place,
                glyph: routine ? [4, 7][grey++ % 2] : (place++ + round) % 7 });
        }
        return looks;
    }

    kindColour(name) {
        const theme = this.colours(), look = this.looks.get(name);
        if (!look) return theme.grey;
        if (!theme.kinds) return look.colour;
        return look.routine ? theme.routine : theme.kinds[look.place % theme.kinds.length];
    }

    kindGlyph(name, size) {
        return this.glyph(this.looks.get(name)?.glyph ?? 0, size, this.kindColour(name),
            this.colours().paper);
    }

    applyTheme() {
        const jupyter = document.body.dataset.jpThemeLight;
        const around = jupyter ? jupyter === "false" : this.themeQuery.matches;
        const dark = this.theme === "dark" || (this.theme === "auto" && around);
        this.root.classList.toggle("el-dark", dark);
        document.body.classList.toggle("el-page-dark",
            dark && document.body.classList.contains("el-page"));
        this.themeButton.textContent = `◐ ${this.theme}`;
        this.render();
    }

    nextTheme() {
        this.theme = { auto: "light", light: "dark", dark: "auto" }[this.theme];
        this.applyTheme();
    }

    // --- rendering --------------------------------------------------------------------------------

    render() {
        if (!this.state) return;
        const focused = this.root.contains(document.activeElement);
        this.renderBar();
        this.renderRing();
        this.renderLegend();
        this.renderService();
        this.renderBeside();
        this.renderDiagram();
        this.renderInspector();
        this.renderNext();
        this.followLog();
        this.keepFocus(focused);
    }

    // What had the focus may be gone: keys still count.
    keepFocus(focused) {
        if (focused && !this.root.contains(document.activeElement)) this.root.focus({ preventScroll: true });
    }

    renderTime() {
        const { snapshot, last } = this.state;
        const at = this.playing ? this.shown : snapshot.now;
        this.time.textContent = `event ${snapshot.event} of ${last} · ${ms(at)}`;
    }

    renderBar() {
        if (!this.state) return;
        const { snapshot, last, branches, branch, bookmarks } = this.state;
        const now = snapshot.event;
        this.slider.max = last;
        this.slider.value = now;
        this.slider.setAttribute("aria-valuetext", `event ${now} of ${last}, ${ms(snapshot.now)}`);
        this.renderTime();
        this.bar.play.textContent = this.playing ? "⏸ pause" : "▶ play";
        this.bar.start.disabled = this.bar.back.disabled = now === 0;
        this.bar.end.disabled = now === last;
        const atEnd = now === last;
        this.bar.step.disabled = atEnd && (this.source.readOnly || !Object.keys(snapshot.pending).length);
        clear(this.bookmarks, ...bookmarks.map((mark, i) => make("span", { class: "el-bookmark" },
            this.button(mark.label, `go to ${mark.label}, event ${mark.event}`, async () => {
                if (mark.branch !== branch) await this.ask({ do: "switch", branch: mark.branch });
                await this.seek(mark.event);
            }),
            this.button("✕", `remove bookmark ${mark.label}`,
                () => this.ask({ do: "bookmark", remove: i })))));
        const option = (b, i) => make("option", { value: i, text: b.name });
        clear(this.branches, ...branches.map(option));
        this.branches.value = String(branch);
        const compared = this.other ? String(this.other.branch) : "";
        clear(this.beside, make("option", { value: "", text: "nothing" }),
            ...branches.map(option).filter((_, i) => i !== branch));
        this.beside.value = compared;
        const leaders = Object.entries(snapshot.nodes).filter(([, n]) => n.role === "leader");
        const names = leaders.map(([n]) => n);
        const quorum = this.about.quorum
            ? `, quorum ${this.about.quorum} of ${this.about.members}` : "";
        const who = names.length > 1 ? `split brain: nodes ${names.join(", ")} act as leader`
            : names.length ? `node ${names[0]} leads` : "nobody leads";
        const broken = snapshot.broken ? ` · ${snapshot.broken} invariants broken` : "";
        this.title.textContent = `${this.about.protocol}, seed ${this.about.seed} · ${who}${quorum}${broken}`;
        this.title.classList.toggle("el-bad", names.length > 1 || snapshot.broken > 0);
    }

    placesOfNodes() {
        const { members, actors, positions } = this.about;
        const places = [null];
        if (positions) {
            const all = Object.values(positions);
            const xs = all.map((p) => p[0]), ys = all.map((p) => p[1]);
            const middle = [(Math.min(...xs) + Math.max(...xs)) / 2,
                (Math.min(...ys) + Math.max(...ys)) / 2];
            const half = Math.max(Math.max(...xs) - middle[0], Math.max(...ys) - middle[1], 1e-9);
            for (let n = 1; n <= actors; n++) {
                const p = positions[n] || middle;
                places.push({ x: (100 * (p[0] - middle[0])) / half,
                    y: (-100 * (p[1] - middle[1])) / half });
            }
            return places;
        }
        for (let n = 0; n < members; n++) {
            const angle = (2 * Math.PI * n) / members;
            places.push({ x: 105 * Math.sin(angle), y: -105 * Math.cos(angle) });
        }
        const services = actors - members;
        for (let n = 0; n < services; n++) {
            const angle = (2 * Math.PI * (n + 0.5)) / services, away = services === 1 ? 0 : 42;
            places.push({ x: away * Math.sin(angle), y: -away * Math.cos(angle) });
        }
        return places;
    }

    radius() {
        return clip(205 / Math.max(this.about.members, 1), 4.6, 15);
    }

    // --- the ring ---------------------------------------------------------------------------------

    renderRing() {
        if (!this.state) return;
        this.paintRing(this.ring, this.state.snapshot, this.shown, true);
    }

    paintRing(svg, snapshot, now, active) {
        const theme = this.colours(), r = this.radius(), { actors } = this.about;
        const focused = active && svg.contains(document.activeElement)
            ? document.activeElement.getAttribute("data-key") : null;
        const drag = [...svg.children].filter((child) => child.dataset.drag !== undefined);
        const links = draw("g", { "pointer-events": "none" });
        const cut = new Set(snapshot.cuts);
        if (!this.about.positions) {
            links.append(draw("circle", { r: 105, fill: "none", stroke: theme.light,
                "stroke-width": 0.6, "stroke-dasharray": "1 5" }));
        }
        if (actors <= 14) {
            const used = new Set(this.state.timeline.links.map(String));
            for (let a = 1; a <= actors; a++) {
                for (let b = a + 1; b <= actors; b++) {
                    if (cut.has(`${a} ${b}`) || cut.has(`${b} ${a}`)) continue;
                    const [p, q] = [this.places[a], this.places[b]];
                    links.append(draw("line", { x1: p.x, y1: p.y, x2: q.x, y2: q.y,
                        stroke: theme.light, ...(used.has(`${a},${b}`) ? { "stroke-width": 1 }
                            : { "stroke-width": 0.6, "stroke-dasharray": "1 5" }) }));
                }
            }
        }
        // An arc round a node is the time left as a share of the longest among all nodes.
        const lefts = Object.values(snapshot.nodes).flatMap((node) => Object.values(node.timers))
            .map((due) => this.left(due, snapshot.now)).filter((left) => left !== null);
        const most = Math.max(...lefts, 1e-6);
        const nodes = draw("g", {}), labels = draw("g", {});
        const taken = this.places.slice(1).map(({ x, y }) => [x - r, y - r, x + r, y + r]);
        for (let n = 1; n <= actors; n++) {
            const [label, node, box] = this.paintNode(n, snapshot, now, r, active, most);
            taken.push(box);
            labels.append(label);
            nodes.append(node);
        }
        clear(svg, links, this.paintCuts(cut, active), this.paintVotes(snapshot, r), labels, nodes,
            this.paintMessages(snapshot, now, r, active, taken), ...drag);
        this.frame(svg, labels, nodes);
        if (focused !== null) svg.querySelector(`[data-key="${CSS.escape(focused)}"]`)?.focus();
    }

    // The picture is as large as its labels need. It only grows, so that nothing jumps about.
    frame(svg, ...parts) {
        const next = [...this.extent];
        for (const box of parts.map((part) => part.getBBox())) {
            if (!box.width) return; // not on the screen
            next[0] = Math.min(next[0], box.x - 4);
            next[1] = Math.min(next[1], box.y - 4);
            next[2] = Math.max(next[2], box.x + box.width + 4);
            next[3] = Math.max(next[3], box.y + box.height + 4);
        }
        this.extent = next;
        for (const picture of [this.ring, this.ringB, svg]) {
            picture.setAttribute("viewBox",
                [next[0], next[1], next[2] - next[0], next[3] - next[1]].map((v) => v.toFixed(1)).join(" "));
        }
    }

    // For a projector all that is written in the pictures is larger too.
    textScale() {
        return this.root.classList.contains("el-large") ? 1.35 : 1;
    }

    rowHeight() {
        return this.root.classList.contains("el-large") ? 28 : 20;
    }

    enlarge() {
        this.root.classList.toggle("el-large");
        this.extent = [...SMALLEST];
        this.followed = null;
        this.render();
    }

    paintCuts(cut, active) {
        const theme = this.colours(), group = draw("g", {});
        const few = cut.size <= 120;
        for (const pair of cut) {
            const [a, b] = pair.split(" ").map(Number);
            const both = cut.has(`${b} ${a}`);
            if (both && b < a) continue;
            const [p, q] = [this.places[a], this.places[b]];
            const share = both ? 0.5 : 0.74;
            const x = p.x + share * (q.x - p.x), y = p.y + share * (q.y - p.y);
            const mark = few ? draw("path", { d: `M${x - 4} ${y - 4}l8 8m0 -8l-8 8`,
                stroke: theme.alarm, "stroke-width": 2 }) : null;
            const title = `link from ${a} to ${b}${both ? " and back" : ""} is cut`;
            const can = active && few && !this.source.readOnly;
            group.append(draw("g", { "data-key": `cut ${pair}`, ...(can ? { role: "button",
                tabindex: -1, "aria-label": `${title}: mend` } : {}) },
                draw("title", { text: title + (can ? " (click mends it)" : "") }),
                draw("line", { x1: p.x, y1: p.y, x2: q.x, y2: q.y, stroke: theme.alarm,
                    "stroke-width": 1.1, "stroke-dasharray": "3 4",
                    opacity: few ? 0.85 : 0.3 }), mark));
        }
        return group;
    }

    paintVotes(snapshot, r) {
        const theme = this.colours(), many = this.about.members > 14;
        const group = draw("g", { "pointer-events": "none", opacity: many ? 0.45 : 1 });
        for (const [n, node] of Object.entries(snapshot.nodes)) {
            const to = node.voted_for, other = snapshot.nodes[to];
            if (!to || Number(n) === to || !other || other.epoch !== node.epoch) continue;
            if (other.role !== "candidate" && other.role !== "leader") continue;
            const p = this.places[n], q = this.places[to];
            const length = Math.hypot(q.x - p.x, q.y - p.y) || 1;
            const ux = (q.x - p.x) / length, uy = (q.y - p.y) / length;
            const end = { x: q.x - ux * (r + 6), y: q.y - uy * (r + 6) };
            const bend = { x: (p.x + q.x) / 2 - uy * 0.16 * length,
                y: (p.y + q.y) / 2 + ux * 0.16 * length };
            group.append(draw("path", { fill: "none", stroke: theme.vote, "stroke-width": many ? 0.6 : 1.1,
                "stroke-dasharray": "4 2.5", d: `M${p.x} ${p.y}Q${bend.x} ${bend.y} ${end.x} ${end.y}` }),
                this.head(bend, end, theme.vote, many ? 3 : 6));
        }
        return group;
    }

    head(from, tip, colour, size) {
        const length = Math.hypot(tip.x - from.x, tip.y - from.y) || 1;
        const ux = (tip.x - from.x) / length, uy = (tip.y - from.y) / length;
        const bx = tip.x - ux * size, by = tip.y - uy * size, w = size * 0.38;
        return draw("path", { fill: colour,
            d: `M${tip.x} ${tip.y}L${bx - uy * w} ${by + ux * w}L${bx + uy * w} ${by - ux * w}Z` });
    }

    shape(role, r) {
        const polygon = (n, turn, size) => `M${Array.from({ length: n }, (_, i) => {
            const angle = turn + (2 * Math.PI * i) / n;
            return `${(size * Math.sin(angle)).toFixed(2)} ${(-size * Math.cos(angle)).toFixed(2)}`;
        }).join("L")}Z`;
        switch (role) {
            case "leader": return polygon(6, 0, r * 1.2);
            case "candidate": return polygon(4, 0, r * 1.28);
            case "service": return polygon(4, Math.PI / 4, r * 1.25);
            case "paused": return polygon(8, Math.PI / 8, r * 1.08);
            case "down": {
                const a = r * 0.42, b = r;
                return `M0 ${-a}L${b - a} ${-b}L${b} ${-b + a}L${a} 0L${b} ${b - a}L${b - a} ${b}` +
                    `L0 ${a}L${a - b} ${b}L${-b} ${b - a}L${-a} 0L${-b} ${a - b}L${a - b} ${-b}Z`;
            }
            default: return `M${-r} 0A${r} ${r} 0 1 1 ${r} 0A${r} ${r} 0 1 1 ${-r} 0Z`;
        }
    }

    left(due, now) {
        return due - now > FAR_MS ? null : Math.max(due - now, 0);
    }

    paintNode(n, snapshot, now, r, active, most) {
        const theme = this.colours(), node = snapshot.nodes[n], place = this.places[n];
        const look = this.about.roles[node.role] || this.about.roles.follower;
        const big = r > 8, service = this.about.kinds[n - 1] !== "member";
        const chosen = active && this.selected === n;
        const few = this.about.members <= 9; // with more, words would overlap
        const lines = [];
        if (service) {
            lines.push(this.about.kinds[n - 1]);
            for (const { title, rows } of holdings(node, now)) {
                lines.push(rows.length === 1 && rows[0].owner ? `${rows[0].name} ${rows[0].owner}`
                    : rows.length === 1 && !rows[0].notes.length ? rows[0].name : `${title}: ${rows.length}`);
            }
        }
        if (node.epoch && String(node.epoch) !== "0") {
            lines.push(few ? `epoch ${node.epoch}` : `e${node.epoch}`);
        }
        if (big && node.votes) {
            const other = node.votes.for !== n ? ` for ${node.votes.for}` : "";
            const of = this.about.quorum ? ` of ${this.about.quorum}` : "";
            lines.push(`votes ${node.votes.count}${few ? of + other : ""}`);
        }
        if (few && !service && node.role !== "leader" && node.role !== "down") {
            lines.push(node.leader ? `names ${node.leader}` : "names nobody");
        }
        const timers = Object.entries(node.timers).sort((a, b) => a[1] - b[1]);
        const arcs = [];
        timers.slice(0, 3).forEach(([name, due], i) => {
            const left = this.left(due, now);
            if (left !== null) {
                arcs.push(this.arc(r + 2.4 + 2.2 * i, left / most, theme));
            }
            if (few) {
                lines.push(left === null ? `${name}: by hand` : `${name} in ${left < 999.5 ? `${left.toFixed(0)} ms` : brief(left)}`);
            }
        });
        if (few && timers.length > 3) lines.push(`and ${timers.length - 3} more timers`);
        const out = Math.hypot(place.x, place.y) || 1;
        const ux = service ? 0 : place.x / out, uy = service ? 1 : place.y / out;
        const away = r + 5 + 2.2 * Math.min(timers.length, 3);
        const anchor = Math.abs(ux) < 0.25 ? "middle" : ux > 0 ? "start" : "end";
        const size = (big ? 8.6 : 5.4) * this.textScale(), x = ux * away;
        const height = lines.length * size * 1.12;
        const y = uy * away + (uy < -0.9 ? -height + size : uy > 0.9 ? size * 0.8
            : size * 0.8 - height / 2 + 0.4 * uy * height);
        const label = draw("text", { "font-size": size, fill: theme.ink, "text-anchor": anchor,
            "pointer-events": "none", "paint-order": "stroke", stroke: theme.paper,
            "stroke-width": 2.4, "stroke-linejoin": "round" },
            ...lines.map((text, i) => draw("tspan", { x, y: y + i * size * 1.12, text })));
        const wide = 0.53 * size * Math.max(...lines.map((text) => text.length), 0);
        const left = place.x + x - { start: 0, middle: wide / 2, end: wide }[anchor];
        const box = [left, place.y + y - size, left + wide, place.y + y - size + height];
        const name = `${this.nodeName(n)}, ${node.role}` +
            (node.leader ? `, names ${node.leader}` : "") + `, epoch ${node.epoch}`;
        const down = node.role === "down";
        const move = `translate(${place.x} ${place.y})`;
        label.setAttribute("transform", move);
        return [label, draw("g", { transform: move, "data-key": `node ${n}`,
            class: "el-node", ...(active ? { "data-node": n, role: "button", tabindex: 0,
                "aria-label": name } : {}) },
            draw("title", { text: name }),
            chosen ? draw("circle", { r: r + 1.4 + 2.2 * (timers.length ? 1 : 0), fill: "none",
                stroke: theme.now, "stroke-width": 5, opacity: 0.35 }) : null,
            ...arcs,
            draw("circle", { r: r + 3, fill: "transparent" }),
            draw("path", { d: this.shape(node.role, r), fill: look.colour,
                stroke: down ? "#767676" : "#000000",
                "stroke-width": node.role === "leader" ? 2 : 1.1,
                "stroke-dasharray": node.role === "paused" ? "3 2" : null }),
            draw("text", { "font-size": Math.max(r * 0.95, 5), "text-anchor": "middle",
                dy: "0.35em", fill: down ? "#000000" : look.text, "font-weight": "bold",
                "pointer-events": "none", text: n,
                ...(down ? { "paint-order": "stroke", stroke: "#ffffff", "stroke-width": 3 } : {}) })), box];
    }

    arc(radius, share, theme) {
        const part = clip(share, 0.004, 0.9999) * 2 * Math.PI;
        const x = radius * Math.sin(part), y = -radius * Math.cos(part);
        return draw("path", { fill: "none", stroke: theme.grey, "stroke-width": radius > 12 ? 1.5 : 0.8,
            d: `M0 ${-radius}A${radius} ${radius} 0 ${part > Math.PI ? 1 : 0} 1 ${x} ${y}` });
    }

    glyph(index, size, colour, paper) {
        const s = size, shapes = [
            `M${-s} ${-s}H${s}V${s}H${-s}Z`, `M0 ${-s * 1.2}L${s * 1.15} ${s}H${-s * 1.15}Z`,
            `M0 ${-s * 1.35}L${s * 1.35} 0L0 ${s * 1.35}L${-s * 1.35} 0Z`,
            `M0 ${s * 1.2}L${s * 1.15} ${-s}H${-s * 1.15}Z`,
            `M${-s} 0A${s} ${s} 0 1 1 ${s} 0A${s} ${s} 0 1 1 ${-s} 0Z`,
            `M${-s * 1.2} 0L${s} ${-s * 1.15}V${s * 1.15}Z`, `M${s * 1.2} 0L${-s} ${-s * 1.15}V${s * 1.15}Z`,
            `M${-0.45 * s} ${-1.2 * s}h${0.9 * s}v${0.75 * s}h${0.75 * s}v${0.9 * s}h${-0.75 * s}` +
                `v${0.75 * s}h${-0.9 * s}v${-0.75 * s}h${-0.75 * s}v${-0.9 * s}h${0.75 * s}Z`,
        ];
        return draw("path", { d: shapes[index % shapes.length], fill: colour, stroke: paper,
            "stroke-width": 0.7 });
    }

    paintMessages(snapshot, now, r, active, taken) {
        const theme = this.colours(), group = draw("g", {}), labels = draw("g", {});
        const ways = draw("g", { "pointer-events": "none" }); // below all that can be clicked
        const flying = Object.entries(snapshot.pending).filter(([, p]) => p.kind === "message");
        const named = flying.length <= 14, crowded = flying.length > 40;
        const lanes = new Map();
        for (const [key, p] of flying.slice(0, 400)) {
            const a = this.places[p.peer], b = this.places[p.node];
            const length = Math.hypot(b.x - a.x, b.y - a.y) || 1;
            const ux = (b.x - a.x) / length, uy = (b.y - a.y) / length;
            const lane = `${p.peer} ${p.node}`, same = lanes.get(lane) || 0;
            lanes.set(lane, same + 1);
            const gap = Math.min(r + 5, 0.35 * length);
            const from = { x: a.x + ux * gap + uy * 3, y: a.y + uy * gap - ux * 3 };
            const to = { x: b.x - ux * gap + uy * 3, y: b.y - uy * gap - ux * 3 };
            const far = p.at === null || p.at - now > FAR_MS;
            // Those that come by hand only wait on the way, one behind the other.
            const share = far || p.sent === null || p.at <= p.sent ? clip(0.62 - 0.13 * same, 0.1, 0.62)
                : clip((now - p.sent) / (p.at - p.sent), 0, 1);
            const x = from.x + share * (to.x - from.x), y = from.y + share * (to.y - from.y);
            const colour = this.kindColour(p.message_kind);
            const text = this.describe(p) + (far ? "" : `, arrives at ${ms(p.at)}`);
            const label = named && !this.looks.get(p.message_kind)?.routine
                ? this.messageLabel(p.message_kind, { x, y }, { x: uy, y: -ux }, colour, taken) : null;
            ways.append(draw("line", { x1: from.x, y1: from.y, x2: to.x, y2: to.y, stroke: colour,
                "stroke-width": crowded ? 0.5 : 0.9, opacity: crowded ? 0.5 : 0.75 }),
                this.head(from, to, colour, crowded ? 3 : 5));
            group.append(draw("g", { transform: `translate(${x} ${y})`, class: "el-message",
                    "data-key": `message ${key}`, ...(active ? { "data-message": p.message,
                        "data-kind": p.message_kind, role: "button", tabindex: -1,
                        "aria-label": text } : {}) },
                    draw("title", { text }), draw("circle", { r: clip(0.6 * r, 3.4, 7), fill: "transparent" }),
                    this.kindGlyph(p.message_kind, clip(0.4 * r, 1.9, 3.6))));
            if (label) labels.append(label);
        }
        return draw("g", {}, ways, group, labels);
    }

    // Beside its message, on whichever side nothing is yet; left out where there is no place.
    messageLabel(text, at, side, colour, taken) {
        const size = 7 * this.textScale(), width = 0.56 * size * text.length, height = 1.1 * size;
        for (const way of [1, -1]) {
            for (const far of [6, 11]) {
                const x = at.x + way * side.x * far + (way * side.x < -0.3 ? -width : way * side.x < 0.3 ? -width / 2 : 0);
                const y = at.y + way * side.y * far + (way * side.y > 0.3 ? size * 0.7 : size * 0.3);
                const box = [x, y - size * 0.8, x + width, y - size * 0.8 + height];
                const free = taken.every((b) => box[2] < b[0] || b[2] < box[0] || box[3] < b[1] || b[3] < box[1]);
                if (!free) continue;
                taken.push(box);
                return draw("text", { x, y, "font-size": size, fill: colour, "pointer-events": "none",
                    "paint-order": "stroke", stroke: this.colours().paper, "stroke-width": 2.2, text });
            }
        }
        return null;
    }

    renderLegend() {
        const theme = this.colours();
        const roles = new Set(Object.values(this.state.snapshot.nodes).map((n) => n.role));
        const roleEntry = (role) => {
            const look = this.about.roles[role];
            return make("span", {}, draw("svg", { viewBox: "-8 -8 16 16", "aria-hidden": true },
                draw("path", { d: this.shape(role, 5.5), fill: look.colour, stroke: theme.grey })),
                role);
        };
        const kindEntry = (name) => make("span", {},
            draw("svg", { viewBox: "-8 -8 16 16", "aria-hidden": true }, this.kindGlyph(name, 4.5)), name);
        // Only kinds that this run has: some protocols know many more.
        const kinds = new Set(this.state.timeline.kinds);
        for (const p of Object.values(this.state.snapshot.pending)) kinds.add(p.message_kind);
        clear(this.legend, ...Object.keys(this.about.roles).filter((r) => roles.has(r)).map(roleEntry),
            ...[...this.looks.keys()].filter((name) => kinds.has(name)).map(kindEntry));
    }

    // --- what a service holds ---------------------------------------------------------------------

    renderService() {
        const { snapshot, before } = this.state, cards = [];
        for (let n = this.about.members + 1; n <= this.about.actors; n++) {
            const node = snapshot.nodes[n], parts = node.role === "down" ? [] : holdings(node, snapshot.now);
            const old = new Map((before ? holdings(before.nodes[n], before.now) : []).flatMap(
                ({ rows }) => rows.map((row) => [row.key, saidBy(row)])));
            cards.push(make("h3", { text: `${this.nodeName(n)}${node.role === "down" ? ": down" : ""}` }),
                ...parts.map(({ title, rows }) => make("div", { class: "el-held", "data-held": title },
                    make("div", { class: "el-held-title", text: rows.length ? title : `no ${title}` }),
                    ...rows.map((row) => this.heldRow(row, before && old.get(row.key) !== saidBy(row))))));
            const now = new Set(parts.flatMap(({ rows }) => rows.map((row) => row.key)));
            const gone = [...old.keys()].filter((key) => !now.has(key));
            if (gone.length && parts.length) {
                cards.push(make("div", { class: "el-changed", text: `gone: ${gone.join(", ")}` }));
            }
        }
        this.service.hidden = !cards.length;
        clear(this.service, ...cards);
    }

    heldRow({ name, depth, notes, owner, left, share }, changed) {
        const item = make("div", { class: "el-held-row" }, make("span", { class: "el-held-name", text: name }),
            owner ? make("button", { type: "button", class: "el-owner", text: `node ${owner}`,
                title: `state of node ${owner}`, onclick: () => {
                    this.selected = owner;
                    this.renderInspector();
                    this.renderRing();
                } }) : null,
            ...notes.map((text) => make("span", { class: "el-held-note", text })));
        if (left !== undefined) {
            const bar = make("span", { class: "el-bar-left", "aria-hidden": true }, make("span", {}));
            bar.firstChild.style.width = `${(100 * clip(share, 0, 1)).toFixed(1)}%`;
            item.append(bar, make("span", { class: "el-held-note", text: left }));
        }
        item.style.paddingLeft = `${0.4 + 1.1 * (depth || 0)}em`;
        item.classList.toggle("el-changed", Boolean(changed));
        return item;
    }

    // --- two branches -----------------------------------------------------------------------------

    renderBeside() {
        this.besidePane.hidden = !this.other;
        if (!this.other) return;
        const { snapshot, name, parted, since } = this.other;
        if (this.other.at !== this.state.snapshot.now || this.other.from !== String(this.state.version)) {
            this.other.at = this.state.snapshot.now;
            this.other.from = String(this.state.version);
            this.source.ask({ do: "compare", branch: this.other.branch }).then((reply) => {
                if (!this.other || reply.error || reply.branch !== this.other.branch) return;
                this.other = { ...reply, at: this.other.at, from: this.other.from };
                this.renderBeside();
            });
        }
        this.paintRing(this.ringB, snapshot, snapshot.now, false);
        const here = this.state.snapshot, rows = [];
        for (const n of Object.keys(here.nodes)) {
            const [a, b] = [this.flat(here.nodes[n]), this.flat(snapshot.nodes[n])];
            for (const path of new Set([...a.keys(), ...b.keys()])) {
                const [x, y] = [a.get(path), b.get(path)];
                if (path.startsWith("timers.") || words(x) === words(y)) continue;
                rows.push(make("tr", {}, make("td", { text: n }), make("td", { text: path }),
                    make("td", { text: words(x) }), make("td", { text: words(y) })));
            }
        }
        const cutText = (s) => (s.cuts.length ? `${s.cuts.length} links cut` : "no link cut");
        if (words(here.cuts) !== words(snapshot.cuts)) {
            rows.unshift(make("tr", {}, make("td", { text: "" }), make("td", { text: "network" }),
                make("td", { text: cutText(here) }), make("td", { text: cutText(snapshot) })));
        }
        clear(this.besidePane, make("div", { class: "el-title",
            text: `${name}, event ${snapshot.event} · ${ms(snapshot.now)}` }), this.ringB,
            make("p", { text: `The branches part after event ${parted}. ` +
                (rows.length ? "What differs now:" : "Nothing differs now.") }),
            rows.length ? make("div", { class: "el-differences", tabindex: 0 }, make("table", {},
                make("tr", {}, ...["node", "field", "here", "there"].map(
                    (text) => make("th", { text }))), ...rows.slice(0, 200))) : null,
            make("div", { class: "el-two-logs" }, ...[["here", since.here], ["there", since.there]].map(
                ([where, log]) => make("div", { class: "el-since", "data-since": where, tabindex: 0 },
                    make("b", { text: `${where}, since event ${parted}` }),
                    ...log.rows.map(({ step, time_ns: ns, line }) => make("div", { text: line.trimStart(),
                        title: `event ${step}, ${ms(ns / 1e6)}` })),
                    log.more ? make("div", { text: `… ${log.more} more` }) : null,
                    log.rows.length ? null : make("div", { text: "nothing yet" })))));
    }

    // --- space and time ---------------------------------------------------------------------------

    // Rows from `first` to before `last` that are there; asks for those that are not.
    rowsIn(first, last) {
        const size = this.about.chunk, found = [];
        const version = String(this.state.version);
        for (let chunk = Math.floor(first / size); chunk * size < last; chunk++) {
            const kept = this.chunks.get(chunk);
            const whole = Math.min((chunk + 1) * size, this.state.timeline.rows) - chunk * size;
            const stale = !kept || (kept.rows.length < whole) ||
                (kept.rows.length < size && kept.version !== version);
            if (stale && kept?.asked !== version) this.load(chunk, version, kept);
            if (kept) {
                for (let i = Math.max(first - chunk * size, 0);
                    i < Math.min(last - chunk * size, kept.rows.length); i++) {
                    found.push([chunk * size + i, kept.rows[i]]);
                }
            }
        }
        return found;
    }

    async load(chunk, version, kept) {
        const size = this.about.chunk, branch = this.state.branch;
        this.chunks.set(chunk, { rows: kept?.rows || [], version: kept?.version, asked: version });
        const reply = await this.source.ask({ do: "rows", first: chunk * size,
            last: (chunk + 1) * size });
        if (this.closed || reply.error || branch !== this.state.branch) return;
        this.chunks.set(chunk, { rows: reply.rows, version, asked: version });
        cancelAnimationFrame(this.loaded);
        this.loaded = requestAnimationFrame(() => {
            this.renderDiagram();
            this.followLog(true);
        });
    }

    renderDiagram() {
        if (!this.state || !this.diagram) return;
        const theme = this.colours(), { actors } = this.about;
        const width = Math.max(this.diagram.clientWidth - 2, 240);
        const lane = clip((actors > 14 ? 300 : 230) / actors, 6, 44), top = 8, bottom = 22;
        const height = top + actors * lane + bottom;
        const now = this.shown, t0 = Math.max(now - 0.72 * this.windowMs, 0);
        const t1 = t0 + this.windowMs;
        const x = (t) => LANE_LABEL + ((t - t0) / (t1 - t0)) * (width - LANE_LABEL - 6);
        const y = (n) => top + (n - 0.5) * lane;
        const svg = draw("svg", { class: "el-space-time", viewBox: `0 0 ${width} ${height}`,
            width, height });
        const clipId = `el-clip-${Math.random().toString(36).slice(2)}`;
        svg.append(draw("clipPath", { id: clipId }, draw("rect", { x: LANE_LABEL, y: 0,
            width: width - LANE_LABEL, height })));
        const inside = draw("g", { "clip-path": `url(#${clipId})` });
        svg.append(inside);
        this.paintBars(inside, t0, t1, x, y, lane, theme);
        const more = this.paintArrows(inside, t0, t1, x, y, theme);
        this.paintMarks(inside, t0, t1, x, y, lane, theme);
        const at = x(now);
        // What lies ahead is known in a recorded run, and paler.
        if (this.state.snapshot.event < this.state.last) {
            inside.append(draw("rect", { x: at, y: 0, width: Math.max(width - at, 0), height,
                fill: theme.paper, opacity: 0.55, "pointer-events": "none" }));
        }
        inside.append(draw("line", { x1: at, x2: at, y1: 0, y2: height - bottom + 4, stroke: theme.now,
            "stroke-width": 2 }));
        const step = 10 ** Math.floor(Math.log10(this.windowMs / 4));
        const every = [1, 2, 5, 10].map((k) => k * step).find((s) => this.windowMs / s <= 8);
        for (let t = Math.ceil(t0 / every) * every; t <= t1; t += every) {
            svg.append(draw("line", { x1: x(t), x2: x(t), y1: height - bottom + 2,
                y2: height - bottom + 6, stroke: theme.grey }),
                draw("text", { x: x(t), y: height - 5, "font-size": 11, fill: theme.grey,
                    "text-anchor": "middle", text: `${Number(t.toPrecision(10))}` }));
        }
        svg.append(draw("text", { x: 2, y: height - 5, "font-size": 11, fill: theme.grey, text: "ms" }));
        for (let n = 1; n <= actors; n++) {
            const service = this.about.kinds[n - 1] !== "member";
            if (lane < 10 && n % 2 === 0 && !service) continue; // every other number has room
            svg.append(draw("text", { x: LANE_LABEL - 6, y: y(n) + 4, "text-anchor": "end",
                "font-size": clip(lane * 0.8, 9, 13), "font-weight": "bold", fill: theme.ink,
                text: service ? `◻${n}` : n }));
        }
        if (more) {
            svg.append(draw("text", { x: LANE_LABEL + 4, y: 14, "font-size": 12, fill: theme.alarm,
                text: more }));
        }
        svg.addEventListener("click", (e) => {
            const box = svg.getBoundingClientRect();
            const t = t0 + ((e.clientX - box.left - LANE_LABEL) / (width - LANE_LABEL - 6)) * (t1 - t0);
            this.pause();
            this.seekTime(t);
        });
        this.spaceTime = svg;
        clear(this.diagram, svg);
    }

    seekTime(t) {
        const { starts } = this.state.timeline;
        const chunk = Math.max(bisect(starts.length, (i) => starts[i][1] > t) - 1, 0);
        const kept = this.chunks.get(chunk);
        let event = starts.length ? starts[chunk][0] : 0;
        for (const row of kept?.rows || []) if (row.time_ns / 1e6 <= t) event = row.step;
        return this.seek(event);
    }

    paintBars(group, t0, t1, x, y, lane, theme) {
        const last = this.state.timeline.starts.length ? this.endMs() : 0;
        const share = { follower: 0.11, candidate: 0.22, leader: 0.3, down: 0, paused: 0.22, service: 0.11 };
        for (let n = 1; n <= this.about.actors; n++) {
            const views = this.views[n];
            group.append(draw("line", { x1: x(t0), x2: x(t1), y1: y(n), y2: y(n), stroke: theme.light,
                "stroke-dasharray": "2 4" }));
            let i = Math.max(bisect(views.length, (k) => views[k].ms > t0) - 1, 0), written = -Infinity;
            for (; i < views.length && views[i].ms <= t1; i++) {
                const from = Math.max(views[i].ms, t0);
                const to = Math.min(i + 1 < views.length ? views[i + 1].ms : Math.max(last, this.shown), t1);
                if (to < from) continue;
                const role = views[i].role, look = this.about.roles[role] || this.about.roles.follower;
                const half = Math.max((share[role] ?? 0.11) * lane, role === "down" ? 0 : 1.6);
                if (half) {
                    group.append(draw("rect", { x: x(from), width: Math.max(x(to) - x(from), 0.6),
                        y: y(n) - half, height: 2 * half, fill: look.colour, stroke: "#000000",
                        "stroke-width": role === "leader" ? 0.8 : 0.3,
                        "stroke-dasharray": role === "paused" ? "3 2" : null }));
                }
                const label = `e${views[i].epoch}`;
                if (lane > 20 && views[i].ms >= t0 && i > 0 && views[i].epoch !== views[i - 1].epoch &&
                    x(from) >= written) {
                    written = x(from) + 7 * label.length + 4;
                    group.append(draw("text", { x: x(from) + 2, y: y(n) - 0.3 * lane - 1, "font-size": 10,
                        fill: theme.ink, text: label, "paint-order": "stroke",
                        stroke: theme.paper, "stroke-width": 2 }));
                }
            }
        }
    }

    endMs() {
        const chunk = this.state.timeline.starts.length - 1;
        const rows = this.chunks.get(chunk)?.rows;
        return rows?.length ? rows[rows.length - 1].time_ns / 1e6 : this.state.timeline.starts[chunk][1];
    }

    paintArrows(group, t0, t1, x, y, theme) {
        const { starts, rows: total } = this.state.timeline, size = this.about.chunk;
        const from = Math.max(bisect(starts.length, (i) => starts[i][1] >= t0) - 1, 0);
        const to = bisect(starts.length, (i) => starts[i][1] > t1 + 0.25 * this.windowMs);
        if (to - from > MOST_CHUNKS) return "zoom in (+) to see the messages";
        const rows = this.rowsIn(from * size, Math.min(to * size, total));
        let count = 0;
        const line = (sent, sender, at, receiver, kind, lost, dashed) => {
            if (at < t0 || sent > t1 || count++ >= MOST_ARROWS) return;
            const colour = this.kindColour(kind);
            const a = { x: x(sent), y: y(sender) }, b = { x: x(at), y: y(receiver) };
            group.append(draw("line", { x1: a.x, y1: a.y, x2: b.x, y2: b.y, stroke: colour,
                "stroke-width": 1.1, "stroke-dasharray": dashed ? "3 3" : null, opacity: dashed ? 0.8 : 1 }));
            if (lost) {
                group.append(draw("path", { d: `M${b.x - 4} ${b.y - 4}l8 8m0 -8l-8 8`,
                    stroke: theme.alarm, "stroke-width": 2 }));
            } else group.append(this.head(a, b, colour, 7));
        };
        for (const [, row] of rows) {
            if ((row.kind === "deliver" || row.kind === "drop") && row.peer && row.message !== undefined) {
                const at = row.time_ns / 1e6;
                const sent = row.other_ns === undefined ? at : row.other_ns / 1e6;
                line(sent, row.peer, at, row.node, row.message_kind, row.kind === "drop", false);
            }
        }
        for (const p of Object.values(this.state.snapshot.pending)) {
            if (p.kind !== "message" || this.state.snapshot.event < this.state.last) continue;
            const far = p.at === null || p.at - this.shown > FAR_MS;
            const at = far ? Math.max(this.shown, p.sent ?? 0) + 0.12 * this.windowMs : p.at;
            line(p.sent ?? this.shown, p.peer, at, p.node, p.message_kind, false, true);
        }
        return count > MOST_ARROWS ? `${count - MOST_ARROWS} messages are not drawn: zoom in (+)` : "";
    }

    paintMarks(group, t0, t1, x, y, lane, theme) {
        const { marks } = this.state.timeline;
        let i = bisect(marks.length, (k) => marks[k][1] >= t0);
        const s = clip(lane * 0.22, 3.5, 7);
        for (let drawn = 0; i < marks.length && marks[i][1] <= t1 && drawn < 400; i++, drawn++) {
            const [event, at, node, kind, action] = marks[i];
            const px = x(at), py = node ? y(node) : 8;
            const add = (d, fill, stroke, title) => group.append(draw("path", { d, fill, stroke,
                "stroke-width": 1.2, transform: `translate(${px} ${py})` },
                draw("title", { text: `${title}, event ${event}` })));
            const star = `M${Array.from({ length: 10 }, (_, k) => {
                const r = (k % 2 ? 0.45 : 1.15) * s, angle = (Math.PI * k) / 5;
                return `${r * Math.sin(angle)} ${-r * Math.cos(angle)}`;
            }).join("L")}Z`;
            if (kind === "leader") add(star, "#f0e442", "#000000", "begins to lead");
            else if (kind === "violation") {
                group.append(draw("line", { x1: px, x2: px, y1: 0, y2: y(this.about.actors) + lane / 2,
                    stroke: theme.alarm, "stroke-width": 2, "stroke-dasharray": "6 3" }));
                add(`M0 ${s}L${-s} ${-s}H${s}Z`, theme.alarm, "#000000", "invariant broken");
            } else if (action === "crash") {
                add(`M${-s} ${-s}L${s} ${s}M${s} ${-s}L${-s} ${s}`, "none", theme.ink, "crash");
            } else if (action === "restart") add(`M${-s} ${-s}L${s} 0L${-s} ${s}Z`, theme.ink, theme.ink, action);
            else if (action === "pause") add(`M${-s * 0.5} ${-s}V${s}M${s * 0.5} ${-s}V${s}`, "none", theme.ink, action);
            else if (action === "resume") add(`M${-s} ${-s}V${s}M${-s * 0.3} ${-s}L${s} 0L${-s * 0.3} ${s}Z`, theme.ink, theme.ink, action);
            else if (["partition", "cut", "mend", "heal"].includes(action)) {
                const healed = action === "mend" || action === "heal";
                group.append(draw("line", { x1: px, x2: px, y1: 0, y2: y(this.about.actors) + lane / 2,
                    stroke: healed ? theme.grey : theme.alarm, "stroke-dasharray": healed ? "1 3" : "2 3" },
                    draw("title", { text: `${action}, event ${event}` })));
            }
        }
    }

    // --- the log ----------------------------------------------------------------------------------

    // Row at which an event begins: exact once its chunk is there, else where the chunk begins.
    rowOf(event) {
        const { starts } = this.state.timeline;
        const chunk = Math.max(bisect(starts.length, (i) => starts[i][0] >= event) - 1, 0);
        for (let c = chunk; c <= Math.min(chunk + 1, starts.length - 1); c++) {
            const rows = this.chunks.get(c)?.rows || [];
            const i = rows.findIndex((row) => row.step >= event);
            if (i >= 0) return c * this.about.chunk + i;
        }
        return chunk * this.about.chunk;
    }

    followLog(loaded) {
        const total = this.state.timeline.rows;
        this.logSpace.style.height = `${total * this.rowHeight()}px`;
        const { event } = this.state.snapshot, key = `${this.state.version} ${event}`;
        const row = this.rowOf(event);
        if (key !== this.followed || (loaded && row !== this.followedRow)) {
            this.followed = key;
            this.followedRow = row;
            const at = row * this.rowHeight(), view = this.log.clientHeight;
            const fresh = this.log.scrollTop + view > at + 3 * this.rowHeight() && this.log.scrollTop <= at;
            if (!fresh) this.log.scrollTop = Math.max(at - view / 2, 0);
        }
        this.renderLog();
    }

    renderLog() {
        if (!this.state) return;
        const total = this.state.timeline.rows, current = this.state.snapshot.event;
        const first = clip(Math.floor(this.log.scrollTop / this.rowHeight()) - 8, 0, total);
        const last = Math.min(first + Math.ceil(this.log.clientHeight / this.rowHeight()) + 16, total);
        const items = this.rowsIn(first, last).map(([index, row]) => {
            const main = ["start", "deliver", "drop", "timer", "action", "wait", "lapse"].includes(row.kind);
            const item = make("div", { class: "el-row", "data-event": row.step,
                title: `event ${row.step}: click to go there`, onclick: () => {
                    this.pause();
                    this.seek(row.step);
                } }, make("span", { class: "el-number", text: main ? row.step : "" }),
                make("span", { text: row.line }));
            item.style.top = `${index * this.rowHeight()}px`;
            item.classList.toggle("el-current", row.step === current);
            item.classList.toggle("el-future", row.step > current);
            item.classList.toggle("el-by-hand", row.kind === "action");
            item.classList.toggle("el-bad", row.kind === "violation");
            item.classList.toggle("el-leads", row.kind === "leader");
            return item;
        });
        clear(this.logSpace, ...items);
    }

    // --- a node's state ---------------------------------------------------------------------------

    flat(node) {
        const found = new Map();
        const walk = (value, path) => {
            if (value && typeof value === "object" && !Array.isArray(value)) {
                for (const [key, inner] of Object.entries(value)) walk(inner, path ? `${path}.${key}` : key);
                if (!Object.keys(value).length && path.includes(".")) found.set(path, "");
            } else found.set(path, value);
        };
        const { role, leader, epoch, disk, memory, timers } = node;
        walk({ role, leader, epoch, disk, memory, timers }, "");
        return found;
    }

    lastNode() {
        const { snapshot, before } = this.state;
        if (!before) return 1;
        for (const n of Object.keys(snapshot.nodes)) {
            if (words(snapshot.nodes[n]) !== words(before.nodes[n])) return Number(n);
        }
        return this.lastShown || 1;
    }

    renderInspector() {
        const records = (item) => Array.isArray(item) && item.length > 0 &&
            item.every((x) => x && typeof x === "object" && !Array.isArray(x));
        const { snapshot, before } = this.state;
        const n = this.selected ?? this.lastNode();
        this.lastShown = n;
        this.nodePicker.value = this.selected === null ? "" : String(n);
        const node = snapshot.nodes[n], now = this.flat(node);
        const then = before ? this.flat(before.nodes[n]) : new Map();
        const changed = (path) => before && words(now.get(path)) !== words(then.get(path));
        this.inspectorTitle.textContent = `${this.nodeName(n)}: ${node.role}`;
        const value = (path, item) => {
            if (path.startsWith("timers.")) {
                const left = this.left(item, snapshot.now);
                return left === null ? "by hand" : `in ${left.toFixed(3)} ms (at ${ms(item)})`;
            }
            if (records(item)) {
                const names = [...new Set(item.flatMap((x) => Object.keys(x)))];
                return make("div", { class: "el-wide" }, make("table", { class: "el-records" },
                    make("tr", {}, ...names.map((text) => make("th", { text }))),
                    ...item.slice(0, 100).map((x) => make("tr", {},
                        ...names.map((name) => make("td", { text: words(x[name]) }))))));
            }
            return path === "leader" && item === 0 ? "nobody" : words(item);
        };
        const rows = [];
        let part = "";
        for (const [path, item] of now) {
            const [head, ...rest] = path.split(".");
            if (rest.length && head !== part) {
                part = head;
                const text = head === "disk" && node.unsaved.length
                    ? `disk (not yet durable: ${node.unsaved.join(", ")})`
                    : { disk: "disk (survives a crash)", memory: "memory (lost in a crash)", timers: "timers" }[head];
                rows.push(make("tr", { class: "el-part" }, make("th", { colspan: 2, text })));
            }
            const name = rest.join(".") || head;
            const row = records(item) ? make("tr", {}, make("td", { colspan: 2, text: name }, value(path, item)))
                : make("tr", {}, make("td", { text: name }), make("td", {}, value(path, item)));
            if (changed(path)) {
                row.classList.add("el-changed");
                const old = then.has(path) ? value(path, then.get(path)) : "not there";
                row.lastChild.append(make("span", { class: "el-was" }, " was ", old));
            }
            rows.push(row);
        }
        const gone = [...then.keys()].filter((path) => !now.has(path));
        for (const path of gone) {
            rows.push(make("tr", { class: "el-changed" }, make("td", { text: path }),
                make("td", { text: "gone" })));
        }
        const head = node.votes && this.about.quorum ? make("p", { class: "el-votes",
            text: `votes held: ${node.votes.count}, quorum: ${this.about.quorum}` }) : null;
        clear(this.inspector, head, make("table", { class: "el-fields" }, ...rows));
    }

    // --- what may happen next ---------------------------------------------------------------------

    // What it is in one line, and what it carries in a few; all of it is in the tooltip.
    entryText(p) {
        if (p.kind !== "message") return make("span", { class: "el-what", text: this.describe(p) });
        const carried = p.fields && Object.keys(p.fields).length ? words(p.fields) : "";
        return make("span", { class: "el-what", title: this.describe(p) },
            make("span", { class: "el-kind" },
                draw("svg", { viewBox: "-8 -8 16 16", "aria-hidden": true }, this.kindGlyph(p.message_kind, 5)),
                make("b", { text: p.message_kind }), " ", make("span", { class: "el-way", text: `${p.peer} → ${p.node}` })),
            carried ? make("span", { class: "el-carried", text: carried }) : null);
    }

    renderNext() {
        const { snapshot } = this.state, entries = Object.entries(snapshot.pending);
        entries.sort((a, b) => (a[1].at ?? Infinity) - (b[1].at ?? Infinity));
        this.nextTitle.textContent = `What may happen next (${entries.length})`;
        const live = !this.source.readOnly;
        clear(this.next, ...entries.slice(0, 80).map(([key, p]) => {
            const left = p.at === null ? null : this.left(p.at, snapshot.now);
            const buttons = !live ? [] : p.kind === "message" ? [
                this.button("deliver", `deliver now: ${this.describe(p)}`,
                    () => this.act({ action: "deliver", message: p.message })),
                this.button("drop", `drop: ${this.describe(p)}`,
                    () => this.act({ action: "drop", message: p.message })),
                this.button("…", `more for: ${this.describe(p)}`,
                    (e) => this.messageMenu(key, e.currentTarget)),
            ] : p.kind === "timer" ? [this.button("time out", `time out: ${this.describe(p)}`,
                () => this.fire(p))] : [];
            return make("div", { class: "el-entry" },
                make("span", { class: "el-left", text: left === null ? "by hand" : `+${brief(left)}` }),
                this.entryText(p), ...buttons);
        }), entries.length > 80 ? make("div", { text: `… ${entries.length - 80} more` }) : null);
    }
}

// --- the two ways in ------------------------------------------------------------------------------

function render({ model, el }) {
    const root = make("div", {});
    root.style.maxHeight = `${model.get("height")}px`;
    el.append(root);
    const page = new Page(root, new KernelSource(model));
    page.start().catch((error) => { root.textContent = `the debugger failed: ${error}`; });
    return () => page.close();
}

export default { render };

async function startPage(document) {
    const root = document.getElementById("debugger");
    const text = `<!doctype html>\n${document.documentElement.outerHTML}\n`; // before it is drawn
    try {
        const packed = atob(document.getElementById("run").textContent);
        const bytes = Uint8Array.from(packed, (c) => c.charCodeAt(0));
        const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
        const page = new Page(root, new FileSource(await new Response(stream).text(), text));
        await page.start();
    } catch (error) {
        root.textContent = `this page cannot be shown: ${error}`;
    }
}
