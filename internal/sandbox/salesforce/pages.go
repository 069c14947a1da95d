package salesforce

import "net/http"

func (o *Org) pages() http.Handler                              { return http.NotFoundHandler() }
func (o *Org) authorize(w http.ResponseWriter, r *http.Request) { http.NotFound(w, r) }
