package phone

import (
	"github.com/tandemcc/tandem/internal/errs"
	"github.com/tandemcc/tandem/internal/phone/media"
	"github.com/tandemcc/tandem/internal/voice"
)

type bridge struct{ a, b *media.Port }

// Bridge implements voice.Phone.
func (p *Phone) Bridge(a, b voice.Media) (func(), error) {
	pa, okA := a.(*media.Port)
	pb, okB := b.(*media.Port)
	if !okA || !okB || pa == pb {
		return nil, errs.New(errs.Invalid, "only two different calls or stations of this phone can be bridged")
	}
	br := &bridge{pa, pb}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.bridges[pa] != nil || p.bridges[pb] != nil {
		return nil, errs.New(errs.Conflict, "one side is bridged already: unbridge it first")
	}
	if pa.Closed() || pb.Closed() {
		return nil, errEnded
	}
	p.bridges[pa], p.bridges[pb] = br, br
	pa.Connect(pb)
	pb.Connect(pa)
	return func() { p.dissolve(br) }, nil
}

func (p *Phone) unbridge(port *media.Port) {
	p.mu.Lock()
	br := p.bridges[port]
	p.mu.Unlock()
	if br != nil {
		p.dissolve(br)
	}
}

func (p *Phone) dissolve(br *bridge) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.bridges[br.a] != br {
		return
	}
	delete(p.bridges, br.a)
	delete(p.bridges, br.b)
	br.a.Connect(nil)
	br.b.Connect(nil)
}
