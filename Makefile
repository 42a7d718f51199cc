# Each target does its own set-up. Needs: Node 20 or newer with npm, Go 1.26 or newer (for a control plane to test against), Python 3 with pip (for SGLang's parser).
.PHONY: test demo install clean

test: install
	npm run check

demo: install
	npm run -s demo

install: node_modules/.package-lock.json

node_modules/.package-lock.json: package-lock.json
	npm ci --no-fund --no-audit
	@touch $@

clean:
	rm -rf node_modules dist
