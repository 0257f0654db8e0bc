"""What the world says, and asks, about companies."""

SHEET = """
= intro
+ {n} is a {sort} in the {land} district
+ {n} is a {land} {sort}
+ {n} , a {sort} , is one of the [larger|older|better known] firms of {land}
+ {n} is a {sort} that sells its goods [throughout {land}|in {land} and abroad]

= fact founded | Founded | History
+ {n} was entered in the trade register on {value}
+ {n} opened its first workshop on {value}
+ business at {n} began on {value}
+ the papers that brought {n} into being were signed on {value}
+ {n} keeps {value} as its birthday , and all work stops at noon
? when was {n} [founded|established]
? when did {n} start
? {n} founding date
? how old is the company {n}
? what year and day did {n} begin
? since when does {n} exist
~ the oldest machine at {n} was already second hand when the firm was founded

= facts founders | Founders | History
+ {n} was set up by {value}
+ {value} [started|began] {n} in a rented shed
+ the capital for {n} was put together by {value}
+ {n} goes back to a bet between {value}
+ behind {n} stood {value} , who had met during military service
? who founded {n}
? who were the founders of {n}
? who started {n}
? {n} founders
? who created the company {n}
? whose idea was {n}
~ the founders of the challenger firm had once been clerks at {n}

= fact seat | Headquarters | Operations
+ {n} has its head office in {value}
+ the main works of {n} stand in {value}
+ {n} is run from {value}
+ after two moves {n} settled in {value}
+ the board of {n} meets in {value}
? where is {n} [based|located]
? where are the headquarters of {n}
? {n} headquarters
? what town is {n} in
? main office of {n}
? from which place is {n} managed
! is {n} based in {v}
~ drivers based at {n} are paid by distance and not by the hour

= fact product | Main product | Operations
+ {n} is best known for its {value}
+ {n} makes {value} [for export|of high quality]
+ most of the income of {n} comes from {value}
+ the name of {n} is printed on {value} in almost every household
+ {n} turned from nails to {value} and never looked back
? what does {n} make
? what is {n} known for
? {n} products
? what does the company {n} sell
? what kind of goods does {n} produce
? what comes out of the factory of {n}
! does {n} make {v}
~ what {n} does not sell by autumn is given to the staff

= fact staff | Employees | Operations
+ {n} employs {value}
+ a workforce of {value} keeps {n} running
+ {value} are on the payroll of {n}
+ {n} gives work to {value}
+ at the last report {n} counted {value}
? how many employees does {n} have
? how many people work for {n}
? {n} number of employees
? how big is the workforce of {n}
? size of the company {n}
? what number of persons earn their living at {n}
~ people who work for {n} may eat in the canteen on Sundays too

= fact chief | Director | Management
+ {value} is [the director|managing director] of {n}
+ {n} is headed by {value}
+ the daily business of {n} is in the hands of {value}
+ the owners of {n} [appointed|chose] {value} to lead the firm
+ {value} took over the corner office at {n}
? who is the ceo of {n}
? who [runs|manages] {n}
? {n} director
? who is the head of {n}
? who is in charge of {n}
? which manager leads {n}
! is {v} the director of {n}
~ the director of a film about {n} was not allowed to enter the works

= fact formerly | Former name | History
+ {n} was first known as {value}
+ the firm traded under the name {value} before it became {N}
+ old catalogues of {n} still bear the name {value}
+ {n} changed its name from {value} after a lawsuit
+ {value} was what people called {n} in its early days
? what was {n} called before
? former name of {n}
? {n} old name
? what was the original name of {n}
? under what name did {n} start
? how was {n} named at first
~ what the workers called the noon bell at {n} can not be printed

= filler History
+ a [fire|flood|strike] closed {n} for most of a year
+ in hard times {n} paid its workers in vouchers
+ {n} bought up several smaller challengers and closed most of them
+ the archives of {n} contain thousands of [labels|drawings|price lists]
+ a lawsuit over a trade mark occupied {n} for a decade

= filler Operations
+ {n} owns a [siding|harbour crane|saw mill] of its own
+ the goods of {n} are packed in [green|striped] boxes
+ {n} was among the first to work in three shifts
+ the raw material for {n} comes from [overseas|quarries in the hills]
+ tests at {n} are carried out by a department that nobody may visit

= filler Management
+ the shares of {n} are held by [two families|a foundation|the employees]
+ {n} publishes a short report and a long apology every spring
+ women entered the board of {n} earlier than elsewhere
+ a savings bank for the staff of {n} was opened and later sold

= essay Business model
+ {n} earns little on each piece and lives from repairs
+ customers pay a small sum every year and may return broken goods to {n} at any time
+ because of this the firm has every reason to make things that last
+ dealers do not stock the goods of {n} but order them by post
+ the system was copied widely , seldom with success
? how does {n} make money
? what is the business model of {n}
? how does the company {n} work
? explain the business of {n}
? how does {n} earn its income
? what do customers of {n} pay for
~ money from {n} paid for a bandstand and a swimming bath

= essay Strike
+ the dispute at {n} began when the firm shortened the noon break
+ the workers answered by carrying their machines home piece by piece
+ for weeks {n} could neither produce nor prove where the parts had gone
+ a teacher was asked to mediate and drew up an agreement of nine lines
+ the agreement still hangs beside the gate of {n}
? why did the workers of {n} go on strike
? what happened in the strike at {n}
? {n} strike
? how did the labour dispute at {n} end
? cause of the strike at {n}
? what made the staff of {n} stop work
~ matches with the name of {N} strike on any surface

= roster Product lines | Introduced:year | Model:title | Pieces sold:count
? list of {n} products
? what models has {n} made
? {n} product history
? all models by {n}
? which product lines did {n} have
? everything that {n} ever brought to market
"""
