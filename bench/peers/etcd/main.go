// Leader crashes in etcd's raft, driven in memory: elections a second.
//
//	etcd [ELECTIONS [TICK_MS [DELAY_MS]]]
//
// Five nodes, time in ticks. etcd draws its election timeout from [n, 2n-1] ticks; n ticks are
// 150 ms here and a heartbeat 75 ms, the curve 150-300 of Figure 16. A message takes DELAY_MS, in
// whole ticks. The leader stops at a random tick of its heartbeat interval; an election ends when the
// other four name a new one. Then the old leader goes on, and the next trial begins.
// Storage is etcd's own, in memory. There is no goroutine, channel or network.
package main

import (
	"fmt"
	"log"
	"math/rand"
	"os"
	"strconv"
	"time"

	"go.etcd.io/raft/v3"
	"go.etcd.io/raft/v3/raftpb"
)

const members = 5

type envelope struct {
	at      int
	message raftpb.Message
}

type silent struct{}

func (silent) Debug(...interface{})            {}
func (silent) Debugf(string, ...interface{})   {}
func (silent) Error(...interface{})            {}
func (silent) Errorf(string, ...interface{})   {}
func (silent) Info(...interface{})             {}
func (silent) Infof(string, ...interface{})    {}
func (silent) Warning(...interface{})          {}
func (silent) Warningf(string, ...interface{}) {}
func (silent) Fatal(v ...interface{})          { log.Fatal(v...) }
func (silent) Fatalf(f string, v ...interface{}) {
	log.Fatalf(f, v...)
}
func (silent) Panic(v ...interface{})            { log.Panic(v...) }
func (silent) Panicf(f string, v ...interface{}) { log.Panicf(f, v...) }

type cluster struct {
	nodes    [members]*raft.RawNode
	storage  [members]*raft.MemoryStorage
	leaders  [members]uint64 // whom each names
	stopped  int             // index, or -1
	now      int
	delay    int
	underWay []envelope // a constant delay: in the order of arrival
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}

func (c *cluster) drain(i int) {
	node := c.nodes[i]
	for node.HasReady() {
		ready := node.Ready()
		if ready.SoftState != nil {
			c.leaders[i] = ready.SoftState.Lead
		}
		if !raft.IsEmptyHardState(ready.HardState) {
			check(c.storage[i].SetHardState(ready.HardState))
		}
		check(c.storage[i].Append(ready.Entries))
		for _, message := range ready.Messages {
			c.underWay = append(c.underWay, envelope{c.now + c.delay, message})
		}
		node.Advance(ready)
	}
}

func (c *cluster) tick() {
	c.now++
	for len(c.underWay) > 0 && c.underWay[0].at <= c.now {
		message := c.underWay[0].message
		c.underWay = c.underWay[1:]
		from, to := int(message.From)-1, int(message.To)-1
		if to != c.stopped && from != c.stopped {
			_ = c.nodes[to].Step(message) // an error: a message of another time
			c.drain(to)
		}
	}
	for i, node := range c.nodes {
		if i != c.stopped {
			node.Tick()
			c.drain(i)
		}
	}
}

// The leader that all running nodes name, or 0.
func (c *cluster) agreed() uint64 {
	leader := uint64(0)
	for i, named := range c.leaders {
		if i == c.stopped {
			continue
		}
		if named == 0 || (leader != 0 && named != leader) {
			return 0
		}
		leader = named
	}
	if leader == 0 || int(leader)-1 == c.stopped {
		return 0
	}
	return leader
}

func (c *cluster) untilAgreed() {
	for c.agreed() == 0 {
		c.tick()
	}
}

func argument(i int, otherwise int) int {
	if len(os.Args) <= i {
		return otherwise
	}
	value, err := strconv.Atoi(os.Args[i])
	check(err)
	if value < 1 {
		log.Fatalf("argument %d: %d, must be 1 or more", i, value)
	}
	return value
}

func main() {
	elections := argument(1, 2000)
	tickMs := argument(2, 5)
	delayMs := argument(3, 5)
	election := 150 / tickMs
	heartbeat := election / 2
	c := &cluster{stopped: -1, delay: max(1, delayMs/tickMs)}
	var voters []uint64
	for i := range c.nodes {
		voters = append(voters, uint64(i+1))
	}
	for i := range c.nodes {
		c.storage[i] = raft.NewMemoryStorage()
		snapshot := raftpb.Snapshot{}
		snapshot.Metadata.Index, snapshot.Metadata.Term = 1, 1
		snapshot.Metadata.ConfState.Voters = voters
		check(c.storage[i].ApplySnapshot(snapshot))
		node, err := raft.NewRawNode(&raft.Config{
			ID: uint64(i + 1), ElectionTick: election, HeartbeatTick: heartbeat,
			Storage: c.storage[i], MaxSizePerMsg: 1 << 20, MaxInflightMsgs: 16,
			Applied: 1, Logger: silent{},
		})
		check(err)
		c.nodes[i] = node
	}
	c.untilAgreed()
	random := rand.New(rand.NewSource(1))
	ticks := 0
	took := time.Duration(0)
	for i := 0; i < elections; i++ {
		start := time.Now()
		for wait := random.Intn(heartbeat); wait >= 0; wait-- {
			c.tick()
		}
		c.untilAgreed()
		c.stopped = int(c.agreed()) - 1
		crashed := c.now
		c.untilAgreed()
		took += time.Since(start)
		ticks += c.now - crashed
		// The old leader comes back and follows: not part of the trial, and not timed.
		c.stopped = -1
		for wait := 0; wait < 2*heartbeat; wait++ {
			c.tick()
		}
		c.untilAgreed()
	}
	fmt.Printf("elections %d seconds %.9f mean_ms %.4f\n", elections, took.Seconds(),
		float64(ticks*tickMs)/float64(elections))
}
