package clock_test

import (
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tandemcc/tandem/internal/clock"
)

func TestAdvanceFiresInOrderOfTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := clock.New()
		var mu sync.Mutex
		var got []int
		for i, d := range []time.Duration{3 * time.Hour, time.Hour, 2 * time.Hour, -time.Hour, 5 * time.Hour} {
			c.AfterFunc(d, func() { mu.Lock(); defer mu.Unlock(); got = append(got, i) })
		}
		synctest.Wait()
		<-time.After(time.Nanosecond)
		synctest.Wait()
		if !slices.Equal(got, []int{3}) {
			t.Errorf("a timer of the past must fire at once: %v", got)
		}
		before := c.Now()
		for range 4 {
			c.Advance(time.Hour)
			synctest.Wait()
		}
		if !slices.Equal(got, []int{3, 1, 2, 0}) {
			t.Errorf("fired %v", got)
		}
		if moved := c.Now().Sub(before); moved != 4*time.Hour || c.Offset() != 4*time.Hour {
			t.Errorf("the clock moved by %v, offset %v", moved, c.Offset())
		}
		<-time.After(time.Hour) // the last hour passes by itself
		synctest.Wait()
		if len(got) != 5 {
			t.Errorf("the machine's time must count as well: %v", got)
		}
	})
}

func TestAdvanceIgnoresThePast(t *testing.T) {
	c := clock.New()
	c.Advance(-time.Hour)
	c.Advance(0)
	if c.Offset() != 0 {
		t.Errorf("the offset is %v", c.Offset())
	}
}

func TestStopIsOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := clock.New()
		fired := 0
		first := c.AfterFunc(time.Minute, func() { fired++ })
		second := c.AfterFunc(time.Minute, func() { fired++ })
		if !first.Stop() || first.Stop() {
			t.Error("Stop must report true once")
		}
		c.Advance(time.Hour)
		synctest.Wait()
		if fired != 1 || second.Stop() {
			t.Errorf("%d fired; a fired timer cannot be stopped", fired)
		}
		var none *clock.Timer
		if none.Stop() {
			t.Error("a nil timer cannot be stopped")
		}
	})
}

func TestAfterCloses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := clock.New()
		done, _ := c.After(time.Hour)
		never, stop := c.After(time.Hour)
		if !stop() {
			t.Error("it had not fired")
		}
		go c.Advance(2 * time.Hour)
		<-done
		synctest.Wait()
		select {
		case <-never:
			t.Error("a stopped timer fired")
		default:
		}
	})
}

func TestConcurrentUse(*testing.T) {
	c := clock.New()
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for i := range 200 {
				tm := c.AfterFunc(time.Duration(i)*time.Millisecond, func() {})
				c.Advance(time.Microsecond)
				if i%3 == 0 {
					tm.Stop()
				}
				c.Now()
			}
		})
	}
	wg.Wait()
}
