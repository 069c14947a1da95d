package expr

import "testing"

func BenchmarkRender(b *testing.B) {
	for name, src := range map[string]string{
		"literal":   "Welcome to the support line",
		"variable":  "{{s}}",
		"attribute": "{{NewPhoneContact.ANI}}",
		"mixed":     "/services/data/v52.0/query?q=SELECT+Id+WHERE+Phone+LIKE+'%25{{NewPhoneContact.ANI}}%25'",
		"filter":    "{{NewPhoneContact.ANI | slice(1)}}",
		"condition": "{{ i > 3 and s == \"Hello World\" }}",
		"date":      "{{ big | date(\"yyyy-MM-dd HH:mm:ss\", timeZone=\"America/Toronto\") }}",
		"loop":      "{% for x in l %}{{ loop.index }}{{ x }}{% endfor %}",
	} {
		b.Run(name, func(b *testing.B) {
			tpl, err := Parse(src)
			if err != nil {
				b.Fatal(err)
			}
			env := &Env{Vars: testVars(), Now: fixedNow}
			b.ReportAllocs()
			for b.Loop() {
				if _, err := tpl.Render(env); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkParse(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Parse("{{\"(\" + (s | slice(0,3)) + \") \" + (s | slice(3,6))}}"); err != nil {
			b.Fatal(err)
		}
	}
}
