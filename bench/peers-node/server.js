// A server of the CouchDB protocol: PouchDB on LevelDB, as its own packages put it together.
//
// node server.js FOLDER [synced]
//
// Listens at a free port of loopback and prints it. `synced`: LevelDB syncs each batch; PouchDB by itself never asks it to.
'use strict';

const express = require('express');
const expressPouchdb = require('express-pouchdb');
const leveldown = require('leveldown');
const path = require('path');
const PouchDB = require('pouchdb');

const [folder, mode] = process.argv.slice(2);

function synced(location) {
  const db = leveldown(location);
  for (const name of ['_put', '_del', '_batch']) {
    const plain = db[name];
    db[name] = function (...args) {
      const done = args.pop();
      const options = args.pop();
      return plain.call(this, ...args, { ...options, sync: true }, done);
    };
  }
  return db;
}

const options = { prefix: folder + path.sep };
const Stored = PouchDB.defaults(mode === 'synced' ? { ...options, db: synced } : options);

const app = express();
// The least that it offers, without logs; compression would only cost here.
app.use(expressPouchdb(Stored, {
  mode: 'minimumForPouchDB',
  overrideMode: { include: ['routes/replicate'], exclude: ['compression'] },
}));
const server = app.listen(0, '127.0.0.1', () => console.log(server.address().port));
