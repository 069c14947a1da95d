package speech

import "github.com/tandemcc/tandem/internal/telemetry"

// Register exposes the service's counts as tandem_speech_* metrics. Call it once per registry.
func (s *Service) Register(reg *telemetry.Registry) {
	count := func(name, help string, get func(Stats) int64) {
		reg.CounterFunc("speech", name, help, func() float64 { return float64(get(s.Stats())) })
	}
	count("memory_hits_total", "Pieces of prompts found in memory.", func(st Stats) int64 { return st.MemoryHits })
	count("cache_hits_total", "Pieces of prompts found in the store.", func(st Stats) int64 { return st.CacheHits })
	count("synthesized_total", "Pieces of prompts synthesised.", func(st Stats) int64 { return st.Synthesized })
	count("failed_total", "Syntheses that failed.", func(st Stats) int64 { return st.Failed })
	count("refused_total", "Syntheses refused because too many waited.", func(st Stats) int64 { return st.Refused })
	reg.GaugeFunc("speech", "waiting", "Syntheses that wait for their turn.", func() float64 { return float64(s.Stats().Waiting) })
	reg.GaugeFunc("speech", "memory_bytes", "Bytes of clips in memory.", func() float64 { return float64(s.Stats().MemoryBytes) })
}
